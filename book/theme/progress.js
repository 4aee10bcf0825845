// Only in pages that `cargo book` serves: marks what the reader has done, as
// `cargo book progress` has it.
"use strict";
(() => {
    const contracts = document.querySelectorAll("details.contract");
    if (contracts.length === 0) {
        return;
    }

    const words = ({ started, passed, hints, solution }) => {
        const hint = hints === 1 ? "1 hint" : `${hints} hints`;
        return [
            passed ? `✓ ${passed}` : started ? `begun ${started}` : "",
            hints ? hint : "",
            solution ? "solution seen" : "",
        ].filter(Boolean).join(", ");
    };

    const show = async () => {
        if (document.hidden) {
            return;
        }
        let done;
        try {
            const answer = await fetch(`${path_to_root}_progress`);
            if (!answer.ok) {
                return;
            }
            done = await answer.json();
        } catch {
            return; // The server has ended. The page stays readable.
        }
        for (const contract of contracts) {
            const entry = done[contract.dataset.name];
            const summary = contract.querySelector("summary");
            let mark = summary.querySelector(".done");
            if (!mark) {
                mark = document.createElement("span");
                mark.className = "done";
                summary.append(mark);
            }
            mark.textContent = entry ? words(entry) : "";
        }
    };
    show();
    document.addEventListener("visibilitychange", show);
})();
