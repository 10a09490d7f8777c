"use strict";
// What the service says comes from anybody: it is shown as text, never as HTML.

const flatten = (name, value) => value !== null && typeof value === "object"
    ? Object.entries(value).flatMap(([key, inner]) => flatten(name ? `${name}.${key}` : key, inner))
    : [[name, String(value)]];

function show(status) {
    const rows = flatten("", status).map(([name, value]) => {
        const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
        head.scope = "row";
        head.textContent = name;
        cell.textContent = value;
        row.append(head, cell);
        return row;
    });
    document.getElementById("numbers").replaceChildren(...rows);
}

async function refresh() {
    const problem = document.getElementById("problem");
    try {
        const answer = await fetch("api/v1/status");
        if (!answer.ok) throw new Error(`turnd answers ${answer.status}`);
        show(await answer.json());
        problem.textContent = "";
    } catch (error) {
        problem.textContent = `turnd does not answer: ${error.message}`;
    }
    setTimeout(refresh, 2000);
}
refresh();
