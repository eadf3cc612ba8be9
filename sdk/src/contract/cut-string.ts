import { z } from "zod";
import { cutMiddle } from "./text.ts";

/**
 * Schema of a text that is cut in the middle to `maxBytes` where it enters: for what people read, such as
 * messages.
 */
export const cutString = (maxBytes: number) => z.string().overwrite((text) => cutMiddle(text, maxBytes));
