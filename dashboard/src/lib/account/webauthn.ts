import { request } from "../api/request.ts";

/** Browsers create passkeys for domain names and `localhost`, but not for IP addresses. */
export type Support = "yes" | "browser" | "address";

export function passkeySupport(hostname: string = location.hostname): Support {
  if (/^[\d.]+$/.test(hostname) || hostname.startsWith("[")) return "address";
  return typeof PublicKeyCredential === "function" &&
    typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function"
    ? "yes"
    : "browser";
}

/** Signs in with a passkey that the person chooses in the browser. */
export async function signInWithPasskey(): Promise<void> {
  const options = await request<PublicKeyCredentialRequestOptionsJSON>(
    "/api/auth/passkey/generate-authenticate-options",
  );
  const credential = await navigator.credentials
    .get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })
    .catch(explain);
  await request("/api/auth/passkey/verify-authentication", {
    method: "POST",
    body: { response: answerOf(credential) },
  });
}

/** Adds a passkey of this device, or of one within its reach, to the person's account. */
export async function addPasskey(name: string): Promise<void> {
  const options = await request<PublicKeyCredentialCreationOptionsJSON>(
    "/api/auth/passkey/generate-register-options",
  );
  const credential = await navigator.credentials
    .create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    .catch(explain);
  await request("/api/auth/passkey/verify-registration", {
    method: "POST",
    body: { response: answerOf(credential), ...(name === "" ? {} : { name }) },
  });
}

function answerOf(credential: Credential | null): unknown {
  if (credential instanceof PublicKeyCredential) return credential.toJSON();
  throw new Error("The browser gave no passkey. Try again.");
}

/** Returns the problem as a message for the person. Browsers reveal few details to pages. */
function explain(error: unknown): never {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError") throw new Error("It was canceled, or took too long. Try again.");
  if (name === "InvalidStateError") throw new Error("This device has a passkey of your account already.");
  throw error;
}
