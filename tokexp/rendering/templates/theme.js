// In the head, so that a page that was last seen dark does not flash.
document.documentElement.classList.add("js");
try {
  const theme = localStorage.getItem("tokexp-theme");
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* pages opened from files may have no storage */ }
