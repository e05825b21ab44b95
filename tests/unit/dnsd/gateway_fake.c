/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of everything that sluice-dnsd talks to. Fails by exiting: there is nothing to clean up but children,
 * which die with their channel. */
#include "gateway_fake.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define WAIT_MS 5000 /* for what must come: a machine under load is slow */

static atomic_uint leaks;
static atomic_bool split_up = true;

#define NEED(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #cond, strerror(errno));                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static struct sockaddr_in addr_of(const char *text, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	NEED(inet_pton(AF_INET, text, &a.sin_addr) == 1);
	return a;
}

static int socket_bound(const char *text, uint16_t port, int type)
{
	struct sockaddr_in a = addr_of(text, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	NEED(fd != -1);
	NEED(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	NEED(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

/* The question's first label, NUL-terminated, lower case. */
static void first_label(const uint8_t *msg, char *ret)
{
	memcpy(ret, msg + 13, msg[12]);
	ret[msg[12]] = '\0';
	for (char *c = ret; *c != '\0'; c++)
		*c |= 0x20;
}

static size_t question_end(const uint8_t *msg)
{
	size_t at = 12;

	while (msg[at] != 0)
		at += msg[at] + 1u;
	return at + 5;
}

static void put_rr(struct wcur *w, uint16_t type, const void *data, uint16_t len)
{
	wcur_be16(w, 0xc00c);
	wcur_be16(w, type);
	wcur_be16(w, 1);
	wcur_be32(w, 60);
	wcur_be16(w, len);
	wcur_bytes(w, data, len);
}

static const struct {
	const char *label, *addr, *alias; /* alias in wire form */
} zone[] = {
	{ "plain", "198.51.100.1", NULL },
	{ "learned", "198.51.100.7", NULL },
	{ "private", "192.168.1.5", NULL },
	{ "slow", "198.51.100.2", NULL },
	{ "first", "198.51.100.3", NULL },
	{ "alias", NULL,
	  "\x07tracker\x07"
	  "example" },
	{ "inside", NULL,
	  "\x03nas\x04"
	  "corp\x07"
	  "example" },
};

/* An alias into the split, and what the public side would have it be. */
static void put_cross(struct wcur *w)
{
	uint16_t target = (uint16_t)(0xc000u | (wcur_len(w) + 12));

	put_rr(w, 5,
	       "\x03web\x04"
	       "corp\x07"
	       "example",
	       18);
	wcur_be16(w, target);
	wcur_be16(w, 1);
	wcur_be16(w, 1);
	wcur_be32(w, 60);
	wcur_be16(w, 4);
	wcur_bytes(w, "\xc6\x33\x64\x42", 4);
}

static size_t upstream_answer(uint8_t *buf, size_t size, size_t end, bool split)
{
	char label[64];
	uint8_t addr[4];
	struct wcur w = wcur_over(buf, size);
	uint16_t n = 0, type = (uint16_t)(buf[end - 4] << 8 | buf[end - 3]);

	(void)wcur_room(&w, end);
	first_label(buf, label);
	for (size_t i = 0; i < ARRAY_LEN(zone) && !split; i++) {
		if (strcmp(zone[i].label, label) != 0)
			continue;
		if (zone[i].alias != NULL)
			put_rr(&w, 5, zone[i].alias, (uint16_t)(strlen(zone[i].alias) + 1));
		else if (inet_pton(AF_INET, zone[i].addr, addr) == 1 && type == 1)
			put_rr(&w, 1, addr, 4);
		n = 1;
	}
	if (!split && strcmp(label, "service") == 0 && type == 65) {
		static const char rdata[] = "\0\1\x07tracker\x07"
					    "example\0\0\4\0\4\xc6\x33\x64\x09";

		put_rr(&w, 65, rdata, sizeof(rdata) - 1);
		n = 1;
	}
	if (!split && strcmp(label, "cross") == 0) {
		put_cross(&w);
		n = 2;
	}
	if (split && type == 1) {
		put_rr(&w, 1, "\x0a\x08\x00\x05", 4);
		n = 1;
	}
	for (uint8_t i = 0; !split && strcmp(label, "many") == 0 && type == 1 && i < 60; i++, n++)
		put_rr(&w, 1, (uint8_t[]){ 198, 51, 100, i }, 4);
	memcpy(buf + 2, (uint8_t[]){ 0x81, (uint8_t)(n == 0 && strncmp(label, "no", 2) == 0 ? 0x83 : 0x80) }, 2);
	memcpy(buf + 4, (uint8_t[]){ 0, 1, 0, (uint8_t)n, 0, 0, 0, 0 }, 8);
	return wcur_len(&w);
}

static void upstream_serve(int fd, bool split)
{
	uint8_t buf[2048];
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	ssize_t n = recvfrom(fd, buf, 512, 0, (struct sockaddr *)&peer, &len);
	size_t end;
	char label[64];

	if (n < 17)
		return;
	end = question_end(buf);
	first_label(buf, label);
	if (!split && memmem(buf, end,
			     "\x04"
			     "corp\x07"
			     "example",
			     13) != NULL)
		atomic_fetch_add(&leaks, 1);
	if (split && !atomic_load(&split_up))
		return;
	if (strcmp(label, "slow") == 0)
		(void)poll(NULL, 0, 150);
	end = upstream_answer(buf, sizeof(buf), end, split);
	(void)sendto(fd, buf, end, 0, (struct sockaddr *)&peer, len);
}

static void *upstream_main(void *arg)
{
	struct pollfd p[2] = { { .fd = ((int *)arg)[0], .events = POLLIN },
			       { .fd = ((int *)arg)[1], .events = POLLIN } };

	for (;;) {
		(void)poll(p, 2, -1);
		for (int i = 0; i < 2; i++)
			if (p[i].revents != 0)
				upstream_serve(p[i].fd, i == 1);
	}
	return NULL;
}

int fake_net(void)
{
	static int fds[2];
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	pthread_t thread;
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return 77;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	NEED(fd != -1 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	(void)close(fd);
	fds[0] = socket_bound("127.0.0.1", FAKE_PUBLIC_PORT, SOCK_DGRAM);
	fds[1] = socket_bound("127.0.0.1", FAKE_SPLIT_PORT, SOCK_DGRAM);
	NEED(pthread_create(&thread, NULL, upstream_main, fds) == 0);
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

unsigned fake_leaks(void)
{
	return atomic_load(&leaks);
}

void fake_split_up(bool up)
{
	atomic_store(&split_up, up);
}

void gateway_open(struct gateway *g, const char *binary)
{
	*g = (struct gateway){ .binary = binary, .pid = -1, .channel = -1, .learn = -1 };
	g->udp = socket_bound(FAKE_SERVER, FAKE_PORT, SOCK_DGRAM | SOCK_NONBLOCK);
	g->tcp = socket_bound(FAKE_SERVER, FAKE_PORT, SOCK_STREAM | SOCK_NONBLOCK);
	NEED(listen(g->tcp, 64) == 0);
}

static void child_exec(const struct gateway *g, int channel)
{
	char *argv[] = { "sluice-dnsd", "--role", "dnsd", NULL };

	if (channel == 3)
		(void)fcntl(channel, F_SETFD, 0);
	else
		(void)dup2(channel, 3);
	execv(g->binary, argv);
	_exit(127);
}

static void give(struct gateway *g, enum msg_type type, const void *body, size_t len, int fd)
{
	struct err e = { 0 };
	int rc = ipc_send(g->channel, type, body, len, &fd, fd == -1 ? 0 : 1, &e);

	if (rc != 0)
		fprintf(stderr, "%s\n", e.msg);
	NEED(rc == 0);
}

void gateway_start(struct gateway *g, const char *views)
{
	struct msg_cookie_keys keys = { .n = 1, .keys = { "a secret of test" } };
	char config[256];
	struct msg_worker worker = { 0 };
	struct msg_listen on = { 0 };
	int pair[2], learn[2];

	snprintf(config, sizeof(config), "{\"uid\":64701,\"gid\":64701,\"workers\":2,\"cacheMiB\":16%s%s}",
		 g->limits != NULL ? ",\"rateLimit\":" : "", g->limits != NULL ? g->limits : "");
	NEED(ipc_pair(pair, NULL) == 0 && ipc_pair(learn, NULL) == 0);
	g->pid = fork();
	NEED(g->pid != -1);
	if (g->pid == 0)
		child_exec(g, pair[1]);
	(void)close(pair[1]);
	g->channel = pair[0];
	g->learn = learn[0];
	give(g, MSG_CONFIG, config, strlen(config), -1);
	give(g, MSG_WORKER, &worker, sizeof(worker), learn[1]);
	(void)close(learn[1]);
	give(g, MSG_COOKIE_KEYS, &keys, sizeof(keys), -1);
	give(g, MSG_LISTEN, &on, sizeof(on), g->udp);
	on.tcp = 1;
	give(g, MSG_LISTEN, &on, sizeof(on), g->tcp);
	gateway_views(g, views, true);
}

void gateway_wait_ready(struct gateway *g)
{
	struct ipc_msg m;
	struct msg_ready ready;

	for (;;) {
		struct pollfd p = { .fd = g->channel, .events = POLLIN };

		NEED(poll(&p, 1, WAIT_MS) == 1);
		NEED(ipc_recv(g->channel, ROLE_GATEWAYD, ROLE_DNSD, &m, NULL) == 0);
		if (m.type == MSG_ANCHOR)
			continue;
		NEED(m.type == MSG_VIEWS_READY);
		memcpy(&ready, m.body, sizeof(ready));
		if (ready.generation == g->generation)
			return;
	}
}

void gateway_views(struct gateway *g, const char *views, bool wait)
{
	struct msg_snapshot head = { .generation = ++g->generation };
	size_t size = strlen(views) + 32;
	char *json = malloc(size);
	int fds[3];

	NEED(json != NULL);
	/* The views begin with {"generation": and our number. */
	snprintf(json, size, "{\"generation\":%llu,%s", (unsigned long long)head.generation, views);
	NEED(memfd_sealed("views", json, strlen(json), &fds[0], NULL) == 0);
	NEED(memfd_sealed("lists", NULL, 0, &fds[1], NULL) == 0);
	NEED(memfd_sealed("addresses", NULL, 0, &fds[2], NULL) == 0);
	NEED(ipc_send(g->channel, MSG_VIEWS, &head, sizeof(head), fds, 3, NULL) == 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	free(json);
	if (wait)
		gateway_wait_ready(g);
}

void gateway_kill(struct gateway *g)
{
	NEED(kill(g->pid, SIGKILL) == 0 && waitpid(g->pid, NULL, 0) == g->pid);
	(void)close(g->channel);
	(void)close(g->learn);
}

int gateway_stop(struct gateway *g)
{
	int status;

	(void)close(g->channel);
	NEED(waitpid(g->pid, &status, 0) == g->pid);
	(void)close(g->learn);
	(void)close(g->udp);
	(void)close(g->tcp);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

size_t ask_write(uint8_t *buf, size_t size, uint16_t id, const char *name, uint16_t type, unsigned flags)
{
	struct wcur w = wcur_over(buf, size);

	wcur_be16(&w, id);
	wcur_be16(&w, 0x0100);
	wcur_be16(&w, 1);
	wcur_be32(&w, 0);
	wcur_be16(&w, (flags & ASK_EDNS) != 0);
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		wcur_u8(&w, (uint8_t)len);
		wcur_bytes(&w, name, len);
		name += len + (name[len] == '.');
	}
	wcur_u8(&w, 0);
	wcur_be16(&w, type);
	wcur_be16(&w, 1);
	if ((flags & ASK_EDNS) != 0)
		wcur_bytes(&w, "\0\0\x29\x10\0\0\0\0\0\0\0", 11);
	NEED(w.err == 0);
	return wcur_len(&w);
}

int ask_open(const char *client, int type)
{
	struct sockaddr_in to = addr_of(FAKE_SERVER, FAKE_PORT);
	int fd = socket_bound(client, 0, type);

	NEED(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

void ask_send(int fd, const char *name, uint16_t type, unsigned flags)
{
	uint8_t buf[512];
	size_t len = ask_write(buf, sizeof(buf), 0x1234, name, type, flags);

	NEED(send(fd, buf, len, 0) == (ssize_t)len);
}

void ask_recv(int fd, struct answer *ret, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ret->len = 0;
	if (poll(&p, 1, timeout_ms) == 1)
		ret->len = (int)recv(fd, ret->msg, sizeof(ret->msg), 0);
}

void ask(const char *client, const char *name, uint16_t type, unsigned flags, struct answer *ret)
{
	int fd = ask_open(client, SOCK_DGRAM);

	ask_send(fd, name, type, flags);
	ask_recv(fd, ret, WAIT_MS);
	(void)close(fd);
}

void tcp_send(int fd, uint16_t id, const char *name, uint16_t type)
{
	uint8_t buf[512];
	size_t len = ask_write(buf + 2, sizeof(buf) - 2, id, name, type, ASK_EDNS);

	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	NEED(send(fd, buf, len + 2, 0) == (ssize_t)len + 2);
}

static bool read_full(int fd, uint8_t *buf, size_t len)
{
	while (len != 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, WAIT_MS) != 1 || (n = read(fd, buf, len)) <= 0)
			return false;
		buf += n;
		len -= (size_t)n;
	}
	return true;
}

void tcp_recv(int fd, struct answer *ret)
{
	uint8_t head[2];

	ret->len = 0;
	if (!read_full(fd, head, 2))
		return;
	if (read_full(fd, ret->msg, (size_t)head[0] << 8 | head[1]))
		ret->len = head[0] << 8 | head[1];
}

unsigned answer_rcode(const struct answer *a)
{
	return a->len >= 12 ? a->msg[3] & 0x0fu : 255;
}

unsigned answer_count(const struct answer *a)
{
	return a->len >= 12 ? (unsigned)(a->msg[6] << 8 | a->msg[7]) : 0;
}

uint16_t answer_id(const struct answer *a)
{
	return a->len >= 12 ? (uint16_t)(a->msg[0] << 8 | a->msg[1]) : 0;
}

bool answer_has(const struct answer *a, const void *bytes, size_t len)
{
	return a->len > 0 && memmem(a->msg, (size_t)a->len, bytes, len) != NULL;
}

bool answer_has_addr(const struct answer *a, const char *addr)
{
	uint8_t rdata[6] = { 0, 4 };

	NEED(inet_pton(AF_INET, addr, rdata + 2) == 1);
	return answer_has(a, rdata, sizeof(rdata));
}

int answer_ede(const struct answer *a)
{
	/* An OPT record of ours: size 1232, then version and flags, length, option 15. */
	for (int i = 12; i + 17 <= a->len; i++)
		if (memcmp(a->msg + i, "\0\0\x29\x04\xd0", 5) == 0 && a->msg[i + 11] == 0 && a->msg[i + 12] == 15)
			return a->msg[i + 15] << 8 | a->msg[i + 16];
	return -1;
}

bool learn_next(struct gateway *g, struct ipc_msg *ret, int timeout_ms)
{
	struct pollfd p = { .fd = g->learn, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1 && ipc_recv(g->learn, ROLE_GATEWAYD, ROLE_DNSD, ret, NULL) == 0;
}

void learn_ack(struct gateway *g, uint64_t req_id, int32_t status)
{
	struct msg_learn_ack ack = { .req_id = req_id, .status = status };

	NEED(ipc_send(g->learn, MSG_LEARN_ACK, &ack, sizeof(ack), NULL, 0, NULL) == 0);
}
