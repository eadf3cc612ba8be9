/** The Web Cryptography API. See `node-crypto.ts`. */
export const webCrypto: Crypto = globalThis.crypto;
