import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** CBOR of the few kinds of values that a passkey's registration is made of. */
type Cbor = number | string | Uint8Array | Map<number | string, Cbor>;

function cbor(value: Cbor): Uint8Array {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return join(head(3, Buffer.byteLength(value)), Buffer.from(value));
  if (value instanceof Uint8Array) return join(head(2, value.length), value);
  return join(head(5, value.size), ...[...value].flatMap(([key, each]) => [cbor(key), cbor(each)]));
}

const head = (major: number, n: number): Uint8Array =>
  Uint8Array.from(
    n < 24 ? [(major << 5) | n] : n < 256 ? [(major << 5) | 24, n] : [(major << 5) | 25, n >> 8, n & 255],
  );

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const sha256 = (data: string | Uint8Array): Buffer => createHash("sha256").update(data).digest();
const base64url = (data: Uint8Array): string => Buffer.from(data).toString("base64url");

interface Options {
  challenge: string;
}

/** A device that creates passkeys and signs with them, as WebAuthn requires: ES256, no attestation. */
export class Authenticator {
  readonly id = randomBytes(16);
  /** Whether it verified its user. */
  verifiesUser = true;
  #keys: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  #counter = 0;
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  register(options: Options) {
    const { x, y } = this.#keys.publicKey.export({ format: "jwk" });
    const key = new Map<number, Cbor>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, new Uint8Array(Buffer.from(x as string, "base64url"))],
      [-3, new Uint8Array(Buffer.from(y as string, "base64url"))],
    ]);
    const credential = join(new Uint8Array(16), Uint8Array.from([0, this.id.length]), this.id, cbor(key));
    const attestation = new Map<string, Cbor>([
      ["fmt", "none"],
      ["attStmt", new Map()],
      ["authData", join(this.#authenticatorData(0x40), credential)],
    ]);
    return this.#answer({
      clientDataJSON: base64url(this.#clientData("webauthn.create", options)),
      attestationObject: base64url(cbor(attestation)),
      transports: ["internal"],
    });
  }

  signIn(options: Options) {
    const clientData = this.#clientData("webauthn.get", options);
    const authenticatorData = this.#authenticatorData(0);
    const signature = sign("sha256", join(authenticatorData, sha256(clientData)), this.#keys.privateKey);
    return this.#answer({
      clientDataJSON: base64url(clientData),
      authenticatorData: base64url(authenticatorData),
      signature: base64url(signature),
    });
  }

  #answer(response: Record<string, unknown>) {
    const id = base64url(this.id);
    return { id, rawId: id, type: "public-key", clientExtensionResults: {}, response };
  }

  #clientData = (type: string, { challenge }: Options): Buffer =>
    Buffer.from(JSON.stringify({ type, challenge, origin: this.#origin, crossOrigin: false }));

  #authenticatorData(flags: number): Uint8Array {
    this.#counter += 1;
    const counter = new Uint8Array(4);
    new DataView(counter.buffer).setUint32(0, this.#counter);
    const present = flags | 1 | (this.verifiesUser ? 4 : 0);
    return join(sha256(new URL(this.#origin).hostname), Uint8Array.from([present]), counter);
  }
}
