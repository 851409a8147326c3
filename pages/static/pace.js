/**
 * Poll interval and longest hold for this browser, when the teacher has set them; received on /live.
 */

import { on } from "./live.js";

/** `{interval, hold}` in seconds; empty while every technique uses its own. Changes in place. */
export const pace = {};

on("news", (news) => Object.assign(pace, news.pace));
