// Keys press what names them in data-key, once: the page that follows has keys of its own. Enter sends what was chosen.
let isLeaving = false;
addEventListener("pageshow", () => { isLeaving = false; });
addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.key === "Escape" && at instanceof HTMLSelectElement) document.getElementById("suggested")?.focus();
  if (event.key === "Enter" && at instanceof HTMLSelectElement && at.dataset.key && at.value && !isLeaving) {
    event.preventDefault();
    isLeaving = true;
    at.form.requestSubmit();
  }
  const isWriting = at instanceof HTMLElement && at.closest("input, select, textarea");
  if (isWriting || isLeaving || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key.split(" ").includes(event.key));
  if (!wanted) return;
  event.preventDefault();
  if (wanted instanceof HTMLSelectElement) {
    wanted.focus();
  } else {
    isLeaving = true;
    wanted.click();
  }
});
