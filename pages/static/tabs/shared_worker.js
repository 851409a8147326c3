/**
 * The worker: its one event stream, and a port to each tab. The first message to a tab is empty: the stream is open.
 */

const ports = new Set();
const source = new EventSource(new URL(location).searchParams.get("stream"));

function pass(data) {
  for (const port of ports) port.postMessage(data); // to a tab that is gone nothing is sent
}

source.onopen = () => pass("");
source.onmessage = ({ data }) => pass(data);

addEventListener("connect", ({ ports: [port] }) => {
  ports.add(port);
  if (source.readyState === EventSource.OPEN) port.postMessage("");
});
