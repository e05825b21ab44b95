/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many live flows at once, and which of them still carry something.
 *
 * many_flows hold SPEC OUT: opens a flow for each line `tcp|udp ADDRESS PORT` of SPEC, then sends a byte over each and
 * waits for its echo; OUT.0 gets the lines of those that had none. Again for each SIGUSR1: OUT.1, OUT.2, ... Each file
 * appears whole. The flows stay until the process ends.
 *
 * many_flows serve PORT...: echoes TCP and UDP on these ports of every address, UDP from the address that was asked. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS_MAX     16384
#define WINDOW	      256  /* under way at a time: what a tunnel in user space carries without losing packets */
#define AGAIN_MS      500  /* UDP: a byte may get lost */
#define GIVE_UP_MS    4000 /* after the last echo of a round */
#define EVENTS	      256
#define SERVE_BACKLOG 4096

struct flow {
	int fd;
	bool tcp, sent, answered;
	uint64_t sent_ms;
	struct sockaddr_storage to;
	socklen_t to_len;
	char line[100];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void allow_many_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		if (l.rlim_max < FLOWS_MAX + EVENTS)
			l.rlim_max = FLOWS_MAX + EVENTS;
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		die("epoll_ctl");
}

static bool flow_parse(const char *line, struct flow *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->to;
	char proto[4], addr[64], port_text[8];
	unsigned long port;

	*ret = (struct flow){ .fd = -1 };
	if (sscanf(line, "%3s %63s %7s", proto, addr, port_text) != 3)
		return false;
	port = strtoul(port_text, NULL, 10);
	(void)snprintf(ret->line, sizeof(ret->line), "%s %s %s", proto, addr, port_text);
	ret->tcp = strcmp(proto, "tcp") == 0;
	if (inet_pton(AF_INET, addr, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		ret->to_len = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	ret->to_len = sizeof(*v6);
	return inet_pton(AF_INET6, addr, &v6->sin6_addr) == 1;
}

static uint32_t flows_read(const char *file, struct flow *flows)
{
	FILE *in = fopen(file, "re");
	char line[128];
	uint32_t n = 0;

	if (in == NULL)
		die(file);
	while (n < FLOWS_MAX && fgets(line, sizeof(line), in) != NULL)
		n += flow_parse(line, &flows[n]);
	(void)fclose(in);
	return n;
}

static void flow_send(struct flow *f, uint64_t now)
{
	f->sent = true;
	f->sent_ms = now;
	/* What cannot be sent is not answered, which is what is told. */
	(void)send(f->fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void flow_open(int epoll, struct flow *f, uint64_t index)
{
	f->fd = socket(f->to.ss_family, (f->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd == -1)
		die("socket");
	if (connect(f->fd, (struct sockaddr *)&f->to, f->to_len) == -1 && errno != EINPROGRESS)
		die(f->line);
	/* Edges: writable once, when it is connected, and readable for each echo. */
	watch(epoll, f->fd, EPOLLIN | EPOLLOUT | EPOLLET, index);
}

struct round {
	struct flow *flows;
	uint32_t n, next, open, answered;
	uint64_t last_ms; /* of the last echo */
};

static void echo_read(struct round *r, struct flow *f, uint64_t now)
{
	char buf[64];
	ssize_t n;

	while ((n = recv(f->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		if (f->answered || !f->sent)
			continue;
		f->answered = true;
		r->answered++;
		r->open--;
		r->last_ms = now;
	}
}

/* Those that wait, once more; a TCP byte is the kernel's business. */
static void send_again(struct round *r, uint64_t now)
{
	for (uint32_t i = 0; i < r->next; i++) {
		struct flow *f = &r->flows[i];

		if (f->sent && !f->answered && !f->tcp && now - f->sent_ms >= AGAIN_MS)
			flow_send(f, now);
	}
}

static void round_begin(struct round *r, int epoll, uint64_t now)
{
	while (r->next < r->n && r->open < WINDOW) {
		struct flow *f = &r->flows[r->next++];
		bool fresh = f->fd == -1;

		r->open++;
		if (fresh)
			flow_open(epoll, f, r->next - 1);
		/* A fresh TCP flow says its byte when it is connected. */
		if (!fresh || !f->tcp)
			flow_send(f, now);
	}
}

static void round_run(struct flow *flows, uint32_t n, int epoll)
{
	struct round r = { .flows = flows, .n = n, .last_ms = now_ms() };
	struct epoll_event evs[EVENTS];

	for (uint32_t i = 0; i < n; i++)
		flows[i].sent = flows[i].answered = false;
	while (r.answered < n && now_ms() - r.last_ms < GIVE_UP_MS) {
		uint64_t now = now_ms();
		int got;

		round_begin(&r, epoll, now);
		got = epoll_wait(epoll, evs, EVENTS, AGAIN_MS / 5);
		for (int i = 0; i < got; i++) {
			struct flow *f = &flows[evs[i].data.u64];

			if ((evs[i].events & EPOLLOUT) && f->tcp && !f->sent && f->fd != -1)
				flow_send(f, now);
			if (evs[i].events & EPOLLIN)
				echo_read(&r, f, now);
		}
		send_again(&r, now);
	}
}

static void result_write(const char *out, int round, const struct flow *flows, uint32_t n)
{
	char fresh[4096], name[4096];
	FILE *to;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", out);
	(void)snprintf(name, sizeof(name), "%s.%d", out, round);
	to = fopen(fresh, "we");
	if (to == NULL)
		die(fresh);
	for (uint32_t i = 0; i < n; i++)
		if (!flows[i].answered)
			(void)fprintf(to, "%s\n", flows[i].line);
	if (fclose(to) != 0 || rename(fresh, name) == -1)
		die(name);
}

static int hold(const char *spec, const char *out)
{
	static struct flow flows[FLOWS_MAX];
	uint32_t n = flows_read(spec, flows);
	int epoll = epoll_create1(EPOLL_CLOEXEC), signals;
	struct signalfd_siginfo info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (epoll == -1 || signals == -1)
		die("many_flows");
	for (int round = 0;; round++) {
		round_run(flows, n, epoll);
		result_write(out, round, flows, n);
		if (read(signals, &info, sizeof(info)) != sizeof(info))
			return 1;
	}
}

static int socket_serve(int type, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, buffer = 4 << 20;

	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1)
		die("serve");
	if (type == SOCK_STREAM) {
		if (listen(fd, SERVE_BACKLOG) == -1)
			die("listen");
		return fd;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	/* Free: the lab's addresses are a local route, and none of an interface. */
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) == -1)
		die("pktinfo");
	return fd;
}

static void udp_echo(int fd)
{
	char buf[2048], control[256];
	struct sockaddr_storage from;

	for (;;) {
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(fd, &msg, 0);
		struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (n < 0)
			return;
		/* The address that was asked, not the interface: the route out is another. */
		if (c != NULL && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
		iov.iov_len = (size_t)n;
		msg.msg_flags = 0;
		(void)sendmsg(fd, &msg, 0);
	}
}

static void tcp_echo(int fd)
{
	char buf[2048];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		(void)send(fd, buf, (size_t)n, MSG_NOSIGNAL);
	if (n == 0 || (n == -1 && errno != EAGAIN))
		(void)close(fd);
}

enum served { SERVED_LISTENER = 0, SERVED_UDP, SERVED_TCP };

static void serve_event(int epoll, uint64_t data)
{
	int fd = (int)(data & 0xffffffff), peer;

	switch ((enum served)(data >> 32)) {
	case SERVED_LISTENER:
		while ((peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1)
			watch(epoll, peer, EPOLLIN, (uint64_t)SERVED_TCP << 32 | (uint32_t)peer);
		break;
	case SERVED_UDP:
		udp_echo(fd);
		break;
	case SERVED_TCP:
		tcp_echo(fd);
		break;
	}
}

static int serve(char **ports)
{
	struct epoll_event evs[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll == -1)
		die("epoll");
	for (; *ports != NULL; ports++) {
		uint16_t port = (uint16_t)strtoul(*ports, NULL, 10);
		int tcp = socket_serve(SOCK_STREAM, port), udp = socket_serve(SOCK_DGRAM, port);

		watch(epoll, tcp, EPOLLIN, (uint64_t)SERVED_LISTENER << 32 | (uint32_t)tcp);
		watch(epoll, udp, EPOLLIN, (uint64_t)SERVED_UDP << 32 | (uint32_t)udp);
	}
	for (;;) {
		int got = epoll_wait(epoll, evs, EVENTS, -1);

		for (int i = 0; i < got; i++)
			serve_event(epoll, evs[i].data.u64);
	}
}

int main(int argc, char **argv)
{
	allow_many_files();
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], argv[3]);
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 2);
	fputs("usage: many_flows hold SPEC OUT | many_flows serve PORT...\n", stderr);
	return 2;
}
