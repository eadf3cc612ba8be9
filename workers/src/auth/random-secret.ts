const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Returns uniformly distributed random letters and digits. */
export function randomSecret(length: number, alphabet = ALPHABET): string {
  // Bytes above the largest multiple of the alphabet's length would skew the distribution.
  const limit = 256 - (256 % alphabet.length);
  let secret = "";
  while (secret.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length * 2))) {
      if (byte < limit && secret.length < length) secret += alphabet[byte % alphabet.length];
    }
  }
  return secret;
}
