import { randomSecret } from "../auth/random-secret.ts";

/** Consonants only (RFC 8628, 6.1): no words come out, and nothing is mistaken for a digit. */
const ALPHABET = "BCDFGHJKLMNPQRSTVWXZ";
const LENGTH = 8;

/** 20^8 codes, about 2.6 × 10^10. */
export const newUserCode = (): string => randomSecret(LENGTH, ALPHABET);

/** `BCDF-GHJK` */
export const shownUserCode = (code: string): string =>
  `${code.slice(0, LENGTH / 2)}-${code.slice(LENGTH / 2)}`;

/** What a person typed, as it is stored: case and everything between the letters do not matter. */
export const typedUserCode = (text: string): string => text.toUpperCase().replace(/[^A-Z]/g, "");
