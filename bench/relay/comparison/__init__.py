"""What `./dev bench` runs: workloads, servers, the running of them in turns, the report and its charts."""
