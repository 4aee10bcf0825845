// Steps through what the kernel saw, line by line, with buttons or with keys.
// The picture is complete without it.
"use strict";
(() => {
    for (const figure of document.querySelectorAll("figure.sequence")) {
        const rows = [...figure.querySelectorAll("li:not(.lanes)")];
        let now = null; // the line that was shown last; null if all are

        const button = (text, title, act) => {
            const made = document.createElement("button");
            made.type = "button";
            made.textContent = text;
            made.title = title;
            made.addEventListener("click", act);
            return made;
        };
        const forth = () => go(now === null ? 0 : now + 1);
        const back = () => go(Math.max((now ?? rows.length) - 1, 0));
        const whole = () => go(null);

        const step = button("Step", "Show the next line", forth);
        const undo = button("Back", "Go back by one line", back);
        const all = button("Show all", "Show all lines", whole);
        const status = document.createElement("span");
        status.setAttribute("role", "status");
        const bar = document.createElement("div");
        bar.className = "stepper";
        bar.setAttribute("role", "group");
        bar.setAttribute("aria-label", "Step through this picture");
        bar.append(step, undo, all, status);
        figure.prepend(bar);
        // So that the keys work after a click anywhere in it.
        figure.tabIndex = -1;
        go(null);

        function go(line) {
            now = line === null || line >= rows.length ? null : line;
            rows.forEach((row, index) => {
                row.classList.toggle("later", now !== null && index > now);
                row.classList.toggle("now", index === now);
            });
            const hides = now === null && bar.contains(document.activeElement);
            undo.hidden = all.hidden = now === null;
            if (hides) {
                step.focus();
            }
            status.textContent = now === null ? "" : `${now + 1} of ${rows.length}`;
            if (now !== null) {
                rows[now].scrollIntoView({ block: "nearest" });
            }
        }

        const keys = {
            ArrowRight: forth,
            ArrowLeft: back,
            Home: () => go(0),
            End: () => go(rows.length - 1),
            Escape: whole,
        };
        figure.addEventListener("keydown", (event) => {
            const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
            if (altKey || ctrlKey || metaKey || shiftKey || !keys[key]) {
                return;
            }
            keys[key]();
            event.preventDefault();
        });
    }
})();
