# Certificates of the test's own, as openssl makes them, for two names of the server. Sourced after lib.sh.
other_name=relay.e2e.example

# signed KEY CERTIFICATE SUBJECT OPTION...
signed() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "${days:-1}" -config <(printf '[req]\ndistinguished_name = dn\n[dn]\n') \
        -keyout "$1" -out "$2" -subj "/CN=$3" "${@:4}" 2>"$room/openssl.log" || { cat "$room/openssl.log" >&2; fail "no certificate for $3"; }
}

# certificates: $room/ca.pem signs $room/NAME.pem for both names. Sets tls, turnd's arguments to serve them at port 5349.
certificates() {
    need openssl
    local host
    signed "$room/ca.key" "$room/ca.pem" "CA of a test" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
    tls=(--tls-listen "$listen:5349" --tls-listen "[$listen6]:5349")
    for host in "$name" "$other_name"; do
        signed "$room/$host.key" "$room/$host.pem" "$host" -CA "$room/ca.pem" -CAkey "$room/ca.key" -addext "subjectAltName=DNS:$host"
        chown nobody "$room/$host.key"
        tls+=(--cert "$room/$host.pem" --key "$room/$host.key")
    done
}

# trust_certificates: from now on browsers trust the CA.
trust_certificates() {
    need certutil
    local database=$room/home/.pki/nssdb # where Chromium looks
    mkdir -p "$database"
    certutil -d "sql:$database" -N --empty-password
    certutil -d "sql:$database" -A -n "CA of a test" -t C,, -i "$room/ca.pem"
}
