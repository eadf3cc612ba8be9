/**
 * Checks whether the server may connect to an address that a tenant chose. It refuses names and literal
 * addresses that are not public. What a name resolves to is checked where the connection is made: on one
 * machine by the network of alerts (`ALERT_NETWORKS`), on Cloudflare by Workers, which reach only public
 * addresses.
 * @param anywhere the operator allows alerts to private addresses, and without TLS
 * @returns what is wrong with it, or null
 */
export function urlProblem(text: string, anywhere: boolean): string | null {
  const url = URL.parse(text);
  if (!url) return "That is no URL.";
  if (url.protocol !== "https:" && !(anywhere && url.protocol === "http:"))
    return "The URL must begin with https://.";
  if (url.username !== "" || url.password !== "") return "A URL with a user or password is not accepted.";
  if (anywhere) return null;
  if (url.port !== "") return "Only the usual port of https is accepted.";
  return isPublicHost(url.hostname)
    ? null
    : `${url.hostname} is not a public address. The server's operator can allow private ones (ALERT_NETWORKS).`;
}

const PRIVATE_NAMES = /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|private|localdomain)\.?$/i;

/** The URL parser has normalized all notations of an address. */
export function isPublicHost(host: string): boolean {
  if (host.startsWith("[")) return isPublicV6(host.slice(1, -1));
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPublicV4(host.split(".").map(Number));
  // A name without a dot is a name of the local network.
  return host.replace(/\.$/, "").includes(".") && !PRIVATE_NAMES.test(host);
}

function isPublicV4([a = 0, b = 0, c = 0]: number[]): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if (a === 100 && b >= 64 && b < 128) return false;
  if (a === 169 && b === 254) return false;
  if (a === 172 && b >= 16 && b < 32) return false;
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)))) return false;
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false;
  return !(a === 203 && b === 0 && c === 113);
}

/** Global unicast, without the ranges that can contain an embedded IPv4 address or a tunnel. */
function isPublicV6(address: string): boolean {
  const first = Number.parseInt(address.split(":")[0] || "0", 16);
  if (first < 0x2000 || first > 0x3fff) return false;
  // 2002: 6to4; 2001:0: Teredo; 2001:db8: documentation.
  return first !== 0x2002 && !/^2001:(?:0?:|db8:|0:)/i.test(address);
}
