import { webcrypto } from "node:crypto";

/**
 * The Web Cryptography API. It is not a global in Node.js 18, so package.json resolves `#web-crypto` to this
 * file there.
 */
export const webCrypto: Crypto = globalThis.crypto ?? (webcrypto as Crypto);
