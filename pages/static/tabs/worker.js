/**
 * A SharedWorker holds one event stream for all tabs of the site; it ends with the last of them.
 */

/** Receive the events of the stream at `address(after)`. */
export function connect({ address, onEvent, onRole, onFail }) {
  if (!window.SharedWorker) return onFail();
  const script = new URL("shared_worker.js", import.meta.url);
  const worker = new SharedWorker(`${script}?stream=${encodeURIComponent(address("latest"))}`);
  worker.onerror = onFail;
  worker.port.onmessage = ({ data }) => (data ? onEvent(JSON.parse(data)) : onRole("worker"));
  worker.port.start();
}
