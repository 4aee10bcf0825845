// Only in pages that `cargo book` serves, and only in the browser that it has
// given the token: plays a transcript with the real programs, in its place.
"use strict";
(() => {
    const KEEP = "book-play-token";
    const given = /^#play=([0-9a-f]+)$/.exec(location.hash);
    if (given) {
        sessionStorage.setItem(KEEP, given[1]);
        // It is nobody's business, and no anchor.
        history.replaceState(null, "", location.pathname + location.search);
    }
    const token = sessionStorage.getItem(KEEP);
    if (!token) {
        return;
    }

    const post = (path, body, signal) =>
        fetch(`${path_to_root}${path}`, {
            method: "POST",
            headers: { "Content-Type": "application/json", "X-Book-Token": token },
            body: JSON.stringify(body),
            signal,
        });

    const make = (name, properties = {}, ...children) => {
        const element = document.createElement(name);
        Object.assign(element, properties);
        element.append(...children);
        return element;
    };
    const button = (text, title, act) => {
        const made = make("button", { type: "button", textContent: text, title });
        made.addEventListener("click", act);
        return made;
    };

    for (const figure of document.querySelectorAll("figure.transcript")) {
        new Player(figure);
    }

    function Player(figure) {
        const original = figure.querySelector(".terminals");
        const names = [...original.querySelectorAll(".screen")]
            .map((screen) => screen.textContent);
        let terminals = original; // what is on the page
        let entries = [];
        let columns = []; // for each terminal: its class and the last turn
        let play = null; // its name, while one runs
        let abort = null;
        let early = []; // what was asked for before it had a name
        let waits = false;
        let kernel = null;

        // The controls.
        const start = button("Play", "Run this with the real programs", () => go(false));
        const step = button("Step", "Go on by one line", () => go(true));
        const stop = button("Stop", "End all its programs", () => end());
        const take = button("Take over", "Type into its programs yourself", () => ask("take"));
        const reset = button("Reset", "Show it as it is in the book", () => restore());
        const present = button("Present", "Fill the window", () => setPresent());
        const status = make("span", { className: "status" });
        status.setAttribute("role", "status");
        const bar = make("div", { className: "player" },
            start, step, stop, take, reset, present, status);
        bar.setAttribute("role", "group");
        bar.setAttribute("aria-label", "Play this transcript");
        const below = make("div", { className: "below", hidden: true });
        original.before(bar);
        original.after(below);
        figure.tabIndex = -1;
        show();

        function show() {
            start.hidden = play !== null && !waits;
            start.textContent = play === null ? "Play" : "Go on";
            step.hidden = figure.classList.contains("taken");
            stop.hidden = play === null;
            take.hidden = play === null || figure.classList.contains("taken");
            reset.hidden = play !== null || terminals === original;
        }

        async function ask(what) {
            if (play === null) {
                if (abort !== null) {
                    early.push(what);
                }
                return;
            }
            try {
                await post("_ask", { play, ask: what });
            } catch {
                // The stream of news has ended as well, and says so.
            }
        }

        function go(byStep) {
            if (play === null && abort === null) {
                run(byStep);
            } else if (byStep && !waits) {
                waits = true;
                ask("pause");
                show();
            } else if (byStep) {
                ask("step");
            } else {
                waits = false;
                ask("go");
                show();
            }
        }

        function end() {
            abort?.abort();
        }

        function restore() {
            terminals.replaceWith(original);
            terminals = original;
            figure.classList.remove("playing", "taken");
            below.hidden = true;
            status.textContent = "";
            show();
        }

        function prepare() {
            const stage = original.cloneNode(true);
            for (const old of stage.querySelectorAll("button")) {
                old.remove();
            }
            terminals.replaceWith(stage);
            terminals = stage;
            entries = [...stage.querySelectorAll(".turn > div")];
            for (const entry of entries) {
                entry.classList.add("pending");
            }
            columns = names.map((name, number) => ({
                name,
                screen: stage.querySelectorAll(".screen")[number],
                last: null,
            }));
            for (const turn of stage.querySelectorAll(".turn")) {
                const column = Number(turn.style.getPropertyValue("--column"));
                turn.dataset.terminal = column - 1;
            }
            figure.classList.add("playing");
            figure.classList.remove("taken");
            kernel = make("div", { className: "kernel" });
            below.replaceChildren(kernel);
            below.hidden = false;
        }

        async function run(byStep) {
            prepare();
            waits = byStep;
            early = [];
            abort = new AbortController();
            status.textContent = "starting …";
            let over = "stopped";
            try {
                const answer = await post("_play", { transcript: figure.id, step: byStep }, abort.signal);
                if (!answer.ok) {
                    over = (await answer.text()).trim();
                } else {
                    over = await follow(answer.body.getReader());
                }
            } catch (error) {
                if (error.name !== "AbortError") {
                    over = "the book’s server has ended";
                }
            }
            play = null;
            abort = null;
            waits = false;
            for (const entry of entries) {
                entry.classList.remove("upnext");
            }
            figure.querySelector(".take")?.remove();
            status.textContent = over;
            show();
        }

        async function follow(reader) {
            const decoder = new TextDecoder();
            let rest = "";
            let over = "the book’s server has ended";
            for (;;) {
                const { value, done } = await reader.read();
                if (done) {
                    return over;
                }
                rest += decoder.decode(value, { stream: true });
                const lines = rest.split("\n");
                rest = lines.pop();
                for (const line of lines) {
                    over = hear(JSON.parse(line)) ?? over;
                }
            }
        }

        // What happens. Gives the last word, when it is over.
        function hear(news) {
            switch (news.news) {
                case "play":
                    play = news.play;
                    early.splice(0).forEach(ask);
                    show();
                    break;
                case "building":
                    status.textContent = news.line.trim();
                    break;
                case "broken":
                    below.replaceChildren(make("pre", { className: "broken", textContent: news.why }));
                    return "it cannot be built";
                case "next":
                    status.textContent = waits ? "waits: what comes next?" : "plays";
                    entries[news.entry].classList.add("upnext");
                    break;
                case "did":
                    reveal(news.entry);
                    break;
                case "printed":
                    reveal(news.entry);
                    if (!news.same) {
                        differ(entries[news.entry], news.text);
                    } else {
                        entries[news.entry].querySelector("samp").textContent = news.text;
                    }
                    break;
                case "missing":
                    reveal(news.entry).classList.add("missing");
                    note(entries[news.entry], news.why);
                    break;
                case "extra":
                    extra(news.terminal, news.text);
                    break;
                case "ended":
                    ended(news);
                    break;
                case "refused":
                    status.textContent = news.why;
                    break;
                case "taken":
                    takeOver();
                    break;
                case "kernel":
                    look(news);
                    break;
                case "done":
                    return verdict(news);
            }
            return null;
        }

        function verdict({ differences, why }) {
            if (why !== null) {
                return `ended: ${why}`;
            }
            if (figure.classList.contains("taken")) {
                return "over";
            }
            return differences === 0 ? "as printed in the book"
                : differences === 1 ? "one difference from the book"
                : `${differences} differences from the book`;
        }

        function reveal(index) {
            const entry = entries[index];
            entry.classList.remove("pending", "upnext");
            const column = columns[entry.parentElement.dataset.terminal];
            if (column) { // and not the kernel
                column.last = entry;
            }
            return entry;
        }

        function note(entry, text) {
            entry.append(make("small", { textContent: text }));
        }

        function differ(entry, text) {
            const samp = entry.querySelector("samp");
            note(entry, `in the book: ${samp.textContent}`);
            samp.textContent = text;
            entry.classList.add("differs");
        }

        // A line for which there is none in the book. After somebody has taken
        // over, all are.
        function extra(terminal, text) {
            const line = make("div", { className: "printed" },
                make("samp", { textContent: text }));
            if (!figure.classList.contains("taken")) {
                line.classList.add("differs");
                note(line, "not in the book");
            }
            add(terminal, line);
        }

        function ended({ terminal, entry, code, same }) {
            const text = `exit code ${code}`;
            if (entry !== null) {
                reveal(entry).textContent = text;
                entries[entry].classList.toggle("differs", !same);
            } else if (!same || figure.classList.contains("taken")) {
                const line = make("div", { className: "exit", textContent: text });
                line.classList.toggle("differs", !same);
                add(terminal, line);
            }
        }

        function add(terminal, line) {
            const column = columns[terminal];
            const last = terminals.querySelector(".turn:last-of-type");
            if (!figure.classList.contains("taken") && column.last !== null) {
                column.last.after(line);
            } else if (Number(last?.dataset.terminal) === terminal && last.classList.contains("added")) {
                last.append(line);
            } else {
                terminals.append(turn(terminal, line));
            }
            column.last = line;
        }

        // A new turn below all others.
        function turn(terminal, line) {
            const rows = Number(terminals.style.getPropertyValue("--rows")) + 1;
            terminals.style.setProperty("--rows", rows);
            const color = [...columns[terminal].screen.classList].filter((name) => name !== "screen");
            const made = make("div", { className: `turn added ${color.join(" ")}` },
                make("span", { className: "who", textContent: names[terminal] }), line);
            made.style.setProperty("--column", terminal + 1);
            made.style.setProperty("--row", rows);
            made.dataset.terminal = terminal;
            return made;
        }

        // From now on the reader plays.
        function takeOver() {
            figure.classList.add("taken");
            waits = false;
            // What the book would have done now does not happen.
            for (const entry of entries.filter((one) => one.classList.contains("pending"))) {
                entry.remove();
            }
            for (const empty of terminals.querySelectorAll(".turn:not(:has(> div))")) {
                empty.remove();
            }
            status.textContent = "yours: type, or press a key";
            const rows = names.map((name, terminal) => {
                const press = (key) => ask({ press: { terminal, key } });
                const label = name || "the terminal";
                const line = make("input", { type: "text", autocomplete: "off", spellcheck: false });
                line.setAttribute("aria-label", `Type a line into ${label}`);
                const send = () => {
                    ask({ type: { terminal, text: line.value } });
                    const typed = make("div", { className: "typed" },
                        make("kbd", { textContent: line.value }));
                    add(terminal, typed);
                    line.value = "";
                };
                line.addEventListener("keydown", (event) => {
                    const isKey = event.ctrlKey && line.selectionStart === line.selectionEnd;
                    if (event.key === "Enter") {
                        send();
                    } else if (isKey && event.key === "c") {
                        press("interrupt");
                    } else if (isKey && event.key === "d") {
                        press("end");
                    } else {
                        return;
                    }
                    event.preventDefault();
                });
                return make("div", {},
                    make("b", { textContent: label }), line,
                    button("Type", `Type this line into ${label}`, send),
                    button("Ctrl-C", `SIGINT for ${label}`, () => press("interrupt")),
                    button("Ctrl-D", `End the input of ${label}`, () => press("end")),
                    button("SIGTERM", `kill, for ${label}`, () => press("terminate")),
                    button("SIGKILL", `kill -9, for ${label}`, () => press("kill")));
            });
            // Above the terminals, which grow from now on: nothing jumps.
            const panel = make("div", { className: "take" }, ...rows);
            bar.after(panel);
            show();
            panel.querySelector("input").focus();
        }

        // What the kernel holds: the names in the folder, and who holds which
        // end of what.
        function look({ folder, sockets }) {
            const list = (title, lines) => make("div", {},
                make("b", { textContent: title }),
                make("pre", { textContent: lines.join("\n") || "nothing" }));
            kernel.replaceChildren(
                list("in the folder", folder),
                list("in the kernel: who holds what", sockets));
        }

        function setPresent() {
            const is = figure.classList.toggle("present");
            document.documentElement.classList.toggle("presents", is);
            present.textContent = is ? "Back" : "Present";
            present.title = is ? "Back to the page" : "Fill the window";
            if (is) {
                figure.focus();
            }
        }

        // The keys of somebody who stands in front of a class.
        figure.addEventListener("keydown", (event) => {
            if (event.target.closest("input")) {
                event.stopPropagation();
                return;
            }
            const isButton = event.target.closest("button, a, summary");
            if (event.key === "Escape" && figure.classList.contains("present")) {
                setPresent();
            } else if (figure.classList.contains("present") && event.key === "ArrowRight"
                || event.key === " " && !isButton && figure.classList.contains("present")) {
                go(true);
            } else {
                return;
            }
            event.preventDefault();
            event.stopPropagation();
        });
    }
})();
