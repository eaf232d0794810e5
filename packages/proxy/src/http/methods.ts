/** Asking twice has the effect of asking once: RFC 9110, section 9.2.2; QUERY is safe by its own specification. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE', 'QUERY'])

export const isIdempotent = (method: string): boolean => idempotent.has(method)
