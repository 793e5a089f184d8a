// One element in front of everything else, which cannot be reached meanwhile.

/** Makes all but `element` and what holds it inert; returns a function that undoes that. */
export function alone(element) {
  const hidden = [];
  for (let inner = element; inner !== document.body; inner = inner.parentElement) {
    for (const other of inner.parentElement.children) {
      if (other === inner || other.inert || other.hasAttribute("aria-live")) continue;
      other.inert = true;
      hidden.push(other);
    }
  }
  return () => {
    for (const other of hidden) other.inert = false;
  };
}
