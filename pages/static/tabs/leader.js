/**
 * One tab holds the event stream for all tabs of the site, and passes the events on by BroadcastChannel.
 *
 * Which tab: the one that has the lease, an entry in localStorage with a name and a time at which it ends. The leader
 * renews it; when it is closed, or stands still, another tab takes the lease and goes on after the last event that it
 * has received. Web Locks would be simpler, but exist in a secure context only (https, or this machine).
 */

const LEASE = "pushlab-lease";
const LASTS_MS = 4_000; // a tab in the background has its timers once a second
const RENEW_MS = 1_000;
const SURE_MS = 100; // after this time the last of several tabs that wrote at the same moment has written

/** Receive the events of the stream at `address(after)`. `onRole` is called with "leader" or "follower". */
export function connect({ address, onEvent, onRole }) {
  const me = `${Date.now()}-${Math.random()}`;
  const channel = new BroadcastChannel(LEASE);
  let [source, last, timer] = [null, 0, 0];
  let place = "latest";

  function receive(event) {
    const n = Number(event.id.split("-")[1]);
    if (n <= last) return; // received from the leader before
    [last, place] = [n, event.id];
    onEvent(event);
  }

  function lease() {
    const [holder, until] = (localStorage.getItem(LEASE) ?? " 0").split(" ");
    return Number(until) > Date.now() ? holder : null;
  }

  function take() {
    localStorage.setItem(LEASE, `${me} ${Date.now() + LASTS_MS}`);
  }

  function check() {
    const holder = lease();
    if (holder === me) lead();
    else if (holder) follow();
    else take();
    timer = setTimeout(check, holder ? RENEW_MS : SURE_MS);
  }

  function lead() {
    take();
    if (source) return;
    source = new EventSource(address(place));
    source.onmessage = ({ data }) => {
      receive(JSON.parse(data));
      channel.postMessage(data);
    };
    onRole("leader");
  }

  function follow() {
    source?.close();
    source = null;
    onRole("follower");
  }

  function close() {
    clearTimeout(timer);
    channel.close();
    source?.close();
    if (lease() === me) localStorage.removeItem(LEASE);
  }

  channel.onmessage = ({ data }) => receive(JSON.parse(data));
  addEventListener("pagehide", close);
  check();
}
