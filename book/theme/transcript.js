// A copy button for each command of a transcript: it copies the command alone,
// without its prompt.

(() => {
    "use strict";

    const ICON =
        '<svg viewBox="0 0 16 16" aria-hidden="true">' +
        '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/>' +
        '<path d="M10.5 3.5v-1h-8v8h1"/></svg>';

    // From a file, or over the network without TLS, a page has no clipboard.
    function copyOldWay(text) {
        const area = document.createElement("textarea");
        area.value = text;
        area.style.position = "fixed";
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        return done;
    }

    async function copy(text) {
        try {
            await navigator.clipboard.writeText(text);
            return true;
        } catch {
            return copyOldWay(text);
        }
    }

    for (const command of document.querySelectorAll(".transcript .command")) {
        const text = command.querySelector("kbd").textContent;
        const button = document.createElement("button");
        button.type = "button";
        button.innerHTML = ICON;
        button.title = "Copy the command";
        button.setAttribute("aria-label", `Copy: ${text}`);
        button.addEventListener("click", async () => {
            const copied = await copy(text);
            button.focus();
            button.title = copied ? "Copied" : "Cannot copy: select it instead";
            button.setAttribute("aria-label", button.title);
            button.classList.toggle("copied", copied);
        });
        button.addEventListener("blur", () => {
            button.title = "Copy the command";
            button.setAttribute("aria-label", `Copy: ${text}`);
            button.classList.remove("copied");
        });
        command.append(button);
    }
})();
