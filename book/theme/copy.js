// A button that copies: one for each listing, and one for each command of a
// transcript, which it copies alone, without its prompt. The page is complete
// without them.

(() => {
    "use strict";

    const ICON =
        '<svg viewBox="0 0 16 16" aria-hidden="true">' +
        '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/>' +
        '<path d="M10.5 3.5v-1h-8v8h1"/></svg>';

    // From a file, or over the network without TLS, a page has no clipboard.
    const copyOldWay = (text) => {
        const area = document.createElement("textarea");
        area.value = text;
        area.style.position = "fixed";
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        return done;
    };

    const copy = async (text) => {
        try {
            await navigator.clipboard.writeText(text);
            return true;
        } catch {
            return copyOldWay(text);
        }
    };

    // The code as it is after the step: no marks, no removed lines.
    const codeOf = (listing) => {
        const lines = [];
        for (const line of listing.querySelectorAll("code .line")) {
            if (line.closest("del")) {
                continue;
            }
            const whole = line.cloneNode(true);
            for (const fold of whole.querySelectorAll(".fold")) {
                fold.remove();
            }
            lines.push(line.classList.contains("gap") ? "" : whole.textContent);
        }
        return `${lines.join("\n")}\n`;
    };

    for (const listing of document.querySelectorAll(".listing")) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "listing-copy";
        button.textContent = "copy";
        button.setAttribute("aria-live", "polite");
        button.addEventListener("click", async () => {
            const copied = await copy(codeOf(listing));
            button.focus();
            button.textContent = copied ? "copied" : "cannot copy";
            setTimeout(() => (button.textContent = "copy"), 2000);
        });
        listing.querySelector("figcaption").append(button);
    }

    for (const command of document.querySelectorAll(".transcript .command")) {
        const text = command.querySelector("kbd").textContent;
        const button = document.createElement("button");
        button.type = "button";
        button.innerHTML = ICON;
        const reset = () => {
            button.title = "Copy the command";
            button.setAttribute("aria-label", `Copy: ${text}`);
            button.classList.remove("copied");
        };
        reset();
        button.addEventListener("click", async () => {
            const copied = await copy(text);
            button.focus();
            button.title = copied ? "Copied" : "Cannot copy: select it instead";
            button.setAttribute("aria-label", button.title);
            button.classList.toggle("copied", copied);
        });
        button.addEventListener("blur", reset);
        command.append(button);
    }

    // What is wider than its box can be moved with the keys, and says what it
    // is. The listings and the matrix say it themselves.
    const reach = new ResizeObserver((changes) => {
        for (const { target: box } of changes) {
            if (box.scrollWidth > box.clientWidth) {
                box.tabIndex = 0;
                box.setAttribute("role", "group");
                box.ariaLabel = box.matches("pre") ? "Text" : "Table";
            }
        }
    });
    for (const box of document.querySelectorAll("main :is(pre, .table-wrapper):not([role])")) {
        reach.observe(box);
    }
})();
