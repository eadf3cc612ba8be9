/** An error's id is this and its fingerprint. */
export const ERROR_PREFIX = "error_";
