// Only in pages that `cargo book` serves: loads the page again when the book
// was built anew, and says why it could not be built.
"use strict";
(() => {
    let version = null;
    let dismissed = null;

    const box = document.createElement("div");
    box.className = "build-error";
    box.setAttribute("role", "alert");
    box.hidden = true;
    const text = document.createElement("pre");
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Hide";
    box.append(text, close);
    document.body.append(box);

    const show = (error) => {
        if (error !== dismissed) {
            dismissed = null;
        }
        if (error === null || error === dismissed) {
            box.hidden = true;
        } else if (box.hidden || text.dataset.error !== error) {
            text.dataset.error = error;
            text.textContent =
                `This is the last good version. The book cannot be built:\n\n${error}`;
            box.hidden = false;
        }
    };
    close.addEventListener("click", () => {
        dismissed = text.dataset.error;
        box.hidden = true;
    });

    const ask = async () => {
        if (document.hidden) {
            return;
        }
        let status;
        try {
            const answer = await fetch(`${path_to_root}_status`);
            if (!answer.ok) {
                return;
            }
            status = await answer.json();
        } catch {
            return; // The server has ended. The page stays readable.
        }
        // At first all that is known of this page is when it was asked for.
        const isNew = version === null
            ? status.age < performance.now()
            : status.version !== version;
        if (isNew) {
            location.reload();
            return;
        }
        version = status.version;
        show(status.error);
    };
    ask();
    setInterval(ask, 400);
    document.addEventListener("visibilitychange", ask);
})();
