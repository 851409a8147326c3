/* The floor: the same messages from C, one thread and one epoll, with nothing around them.

   WebSocket broadcast, long polls and short polls as in baselines.py: a message is a line of text on a port
   of its own. Nothing is metered, checked, stored or limited, no header field is read, and each handshake
   gets the accept value of RFC 6455's sample key, which is the one that the load sends. It is no
   server for anything else. Prints {"port", "say"}; ends when its standard input does. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 17, KEPT = 100, LONGEST = 1024, EVENTS = 1024, READ = 1 << 16 };
enum { UNUSED, LISTENING, TAKING, SENDER, CLIENT, WAITING, STREAM };

static char kind[MOST], messages[KEPT][LONGEST], answer[KEPT * LONGEST + 256];
static int epoll, highest, answer_size;
static long top, answered_after = -1, answered_top = -1;

static void add(int fd, int what) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    kind[fd] = what;
    highest = fd > highest ? fd : highest;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void drop(int fd) {
    kind[fd] = UNUSED;
    close(fd);
}

static void give(int fd, const char *data, int size) {
    if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != size) drop(fd); /* does not keep up */
}

static int serve(int what) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) exit(1);
    getsockname(fd, (struct sockaddr *)&address, &size);
    add(fd, what);
    return ntohs(address.sin_port);
}

static void accept_all(int server) {
    int on = 1, fd;
    while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MOST) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        add(fd, kind[server] == TAKING ? SENDER : CLIENT);
    }
}

/* The whole response with the messages after this one; built once for all who have read as far. */
static void respond(int fd, long after) {
    static char body[KEPT * LONGEST];
    if (after != answered_after || top != answered_top) {
        int size = sprintf(body, "{\"messages\":[");
        for (long n = after < top - KEPT ? top - KEPT + 1 : after + 1; n <= top; n++)
            size += sprintf(body + size, "%s%s", body[size - 1] == '[' ? "" : ",", messages[n % KEPT]);
        size += sprintf(body + size, "],\"cursor\":\"1700000000000-%ld\"}", top);
        answer_size = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                              "Content-Length: %d\r\n\r\n%s", size, body);
        answered_after = after, answered_top = top;
    }
    kind[fd] = CLIENT;
    give(fd, answer, answer_size);
}

static void publish(const char *text, int size) {
    static char frame[LONGEST + 4];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    top++;
    int length = snprintf(messages[top % KEPT], LONGEST, "{\"type\":\"message\",\"id\":\"1700000000000-%ld\","
        "\"mid\":\"00000000-0000-4000-8000-%012ld\",\"username\":\"publisher\",\"body\":\"%.*s\","
        "\"time\":%ld.%03ld}", top, top, size, text, (long)now.tv_sec, now.tv_nsec / 1000000);
    frame[0] = '\x81', frame[1] = 126, frame[2] = length >> 8, frame[3] = length;
    memcpy(frame + 4, messages[top % KEPT], length);
    for (int fd = 0; fd <= highest; fd++) {
        if (kind[fd] == STREAM) give(fd, frame, length + 4);
        if (kind[fd] == WAITING) respond(fd, top - 1);
    }
}

/* Lines come whole, because each is one send on loopback. */
static void publish_lines(char *data, int size) {
    for (char *end; size > 0 && (end = memchr(data, '\n', size)); size -= end + 1 - data, data = end + 1)
        publish(data, end - data);
}

static const char ACCEPTED[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static void request(int fd, const char *head) {
    const char *place = strstr(head, "after=");
    const char *n = place ? strchr(place, '-') : NULL;
    long after = place && strncmp(place + 6, "latest", 6) && n ? atol(n + 1) : top;
    if (!strncmp(head, "GET /websocket", 14)) {
        kind[fd] = STREAM;
        give(fd, ACCEPTED, sizeof ACCEPTED - 1);
    } else if (!strncmp(head, "GET /longpoll", 13) && after == top)
        kind[fd] = WAITING;
    else
        respond(fd, after);
}

static void receive(int fd) {
    static char data[READ + 1];
    int size = read(fd, data, READ);
    if (size <= 0) {
        if (fd == 0) exit(0);
        drop(fd);
        return;
    }
    data[size] = 0;
    if (kind[fd] == SENDER) publish_lines(data, size);
    else if (kind[fd] == CLIENT) request(fd, data);
}

int main(void) {
    struct epoll_event events[EVENTS];
    epoll = epoll_create1(0);
    int port = serve(LISTENING), say = serve(TAKING);
    add(0, SENDER);
    printf("{\"port\": %d, \"say\": %d}\n", port, say);
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (kind[fd] == LISTENING || kind[fd] == TAKING) accept_all(fd);
            else if (kind[fd] != UNUSED) receive(fd);
        }
    }
}
