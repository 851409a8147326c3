/**
 * Frames of WebSocket as the tools build them (RFC 6455 sections 5.2 and 5.3). Knows no DOM.
 */

/** The masking key of the standard's own examples. */
export const KEY = Uint8Array.from([0x37, 0xfa, 0x21, 0x3d]);

/** The header before so many bytes of payload: `first` is FIN, RSV and opcode; a client's has a mask. */
export function header(first, length, mask = null) {
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const seven = { 0: length, 2: 126, 8: 127 }[extra];
  const more = Array.from({ length: extra }, (_, i) => Math.floor(length / 256 ** (extra - 1 - i)) % 256);
  return Uint8Array.from([first, seven | (mask ? 0x80 : 0), ...more, ...(mask ?? [])]);
}

/** Octet i of the payload XOR octet i modulo 4 of the key. */
export function masked(data, key) {
  return data.map((byte, i) => byte ^ key[i % 4]);
}
