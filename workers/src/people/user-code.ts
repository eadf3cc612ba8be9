import { randomSecret } from "../auth/random-secret.ts";

/** Consonants only (RFC 8628, 6.1), so that codes contain no words and no letter resembles a digit. */
const ALPHABET = "BCDFGHJKLMNPQRSTVWXZ";
const LENGTH = 8;

/** 20^8 codes, about 2.6 × 10^10. */
export const newUserCode = (): string => randomSecret(LENGTH, ALPHABET);

/** `BCDF-GHJK` */
export const shownUserCode = (code: string): string =>
  `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;

/** Normalizes a typed code: case and separators do not matter. */
export const typedUserCode = (text: string): string => text.toUpperCase().replace(/[^A-Z]/g, "");
