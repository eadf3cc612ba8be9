import { type Mail, oneLine } from "./mail.ts";
import type { Sender } from "./settings.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** Encodes a header's text by RFC 2047 if it is not plain ASCII. */
function headerText(text: string): string {
  const line = oneLine(text);
  if (/^[\x20-\x7e]*$/.test(line) && line.length <= 200 && !line.includes("=?")) return line;
  const words: string[] = [];
  let word = "";
  // A line with an encoded word has at most 76 characters, and no character is split between two words.
  for (const character of line) {
    if (Buffer.byteLength(word + character) > 39) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((each) => `=?UTF-8?B?${base64(each)}?=`).join("\r\n ");
}

function senderHeader({ name, address }: Sender): string {
  const text = oneLine(name);
  if (text === "") return address;
  const plain = /^[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+$/.test(text) && !text.includes("=?");
  if (plain) return `${text} <${address}>`;
  const quotable = /^[\x20-\x7e]*$/.test(text) && !text.includes("=?");
  return `${quotable ? `"${text.replace(/[\\"]/g, "\\$&")}"` : headerText(text)} <${address}>`;
}

/**
 * Serializes a mail for SMTP. Its text is in base64, so no line is too long, begins with a dot, or contains
 * anything but ASCII. The subject and names can't add headers, whatever they contain.
 */
export function messageText(
  mail: Mail,
  { from, id, date }: { from: Sender; id: string; date: Date },
): string {
  const lines = base64(mail.text.replace(/\r?\n/g, "\r\n")).match(/.{1,76}/g) ?? [];
  return [
    `From: ${senderHeader(from)}`,
    `To: ${mail.to}`,
    `Subject: ${headerText(mail.subject)}`,
    `Date: ${date.toUTCString().replace("GMT", "+0000")}`,
    `Message-ID: <${id}@${from.address.slice(from.address.indexOf("@") + 1)}>`,
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    ...lines,
    "",
  ].join("\r\n");
}
