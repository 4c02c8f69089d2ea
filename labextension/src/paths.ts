/** From a path on the server's disk to one that the contents API and the file browser know. */

/**
 * The path relative to the server's root; null if it is not under it, or hidden: the file browser
 * shows neither. Compared by whole components, never by string prefix.
 */
export function contentsPath(path: string, root: string): string | null {
  const parts = path.split('/').filter(Boolean);
  const rootParts = root.split('/').filter(Boolean);
  const inside =
    path.startsWith('/') && root.startsWith('/') && rootParts.every((part, i) => parts[i] === part);
  const rest = parts.slice(rootParts.length);
  return inside && rest.length > 0 && !rest.some(part => part.startsWith('.'))
    ? rest.join('/')
    : null;
}
