// A copy button for each listing. The page is complete without it.

"use strict";

// The code as it is after the step: no marks, no removed lines.
function codeOf(listing) {
  const lines = [];
  for (const line of listing.querySelectorAll("code .line")) {
    if (line.closest("del")) continue;
    const copy = line.cloneNode(true);
    for (const fold of copy.querySelectorAll(".fold")) fold.remove();
    lines.push(line.classList.contains("gap") ? "" : copy.textContent);
  }
  return lines.join("\n") + "\n";
}

// Browsers give no clipboard to a page that came over an insecure network.
if (navigator.clipboard) {
  for (const listing of document.querySelectorAll(".listing")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "listing-copy";
    button.textContent = "copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      let said = "copied";
      try {
        await navigator.clipboard.writeText(codeOf(listing));
      } catch {
        said = "cannot copy";
      }
      button.textContent = said;
      setTimeout(() => (button.textContent = "copy"), 2000);
    });
    listing.querySelector("figcaption").append(button);
  }
}
