import { webcrypto } from "node:crypto";

/** The Web Cryptography API, which is no global in Node.js 18: package.json resolves `#web-crypto` to this file there. */
export const webCrypto: Crypto = globalThis.crypto ?? (webcrypto as Crypto);
