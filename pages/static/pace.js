/**
 * How often the polls of this browser ask and how long they are held, once the teacher has said so: told on /live.
 */

import { on } from "./live.js";

/** `{interval, hold}` in seconds; empty while every technique keeps its own. Changes in place. */
export const pace = {};

on("news", (news) => Object.assign(pace, news.pace));
