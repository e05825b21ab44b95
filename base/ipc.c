/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages between our processes. A record on the wire is a header of eight bytes and the body; the header repeats type
 * and length so that a sender with another idea of the table is noticed. Everything is checked against the table of
 * sluice/msg.h before the caller sees a byte; descriptors of a refused message are closed here.
 *
 * Sources: unix(7), cmsg(3), memfd_create(2), fcntl(2) F_ADD_SEALS. */
#include "base/ipc.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* Room for a few hundred LEARN_ADDs of one wake: a full one is 1.3 kB, which the kernel accounts as 2.3 kB. Two
 * messages of MSG_BODY_MAX always fit. */
#define IPC_BUFFER_BYTES (1 << 20)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define MEMFD_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

struct ipc_header {
	uint16_t type;
	uint16_t n_fds;
	uint32_t len;
};

static_assert(sizeof(struct ipc_header) == 8, "wire size");

struct msg_row {
	const char *name;
	uint16_t type;
	uint8_t from, to; /* ROLE_NONE: any */
	uint32_t min, max, n_fds;
};

static const struct msg_row rows[] = {
#define MSG_ROW(name, value, from, to, min, max, fds) { #name, (value), (from), (to), (min), (max), (fds) },
	MSG_LIST(MSG_ROW)
#undef MSG_ROW
};

static const struct msg_row *row_find(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

const char *role_name(enum role role)
{
	static const char *const names[ROLE_MAX] = { "none",  "gatewayd", "launcher", "dnsd",
						     "listc", "recorder", "fetch" };

	return (unsigned int)role < ROLE_MAX ? names[role] : "unknown";
}

const char *msg_name(uint16_t type)
{
	const struct msg_row *row = row_find(type);

	return row != NULL ? row->name : "unknown";
}

int ipc_pair(int ret_fds[2], struct err *e)
{
	int size = IPC_BUFFER_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		/* FORCE passes net.core.wmem_max but needs CAP_NET_ADMIN; without it the smaller buffer only means that
		 * a sender is told -EAGAIN earlier. */
		if (setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return 0;
}

static int send_refused(enum msg_type type, size_t len, uint32_t n_fds, struct err *e)
{
	const struct msg_row *row = row_find((uint16_t)type);

	if (row == NULL)
		return err_set(e, -EINVAL, "message type %d is not in the table", (int)type);
	if (len < row->min || len > row->max)
		return err_set(e, -EINVAL, "message %s of %zu bytes, allowed %u to %u", row->name, len, row->min,
			       row->max);
	if (n_fds != row->n_fds)
		return err_set(e, -EINVAL, "message %s with %u descriptors instead of %u", row->name, n_fds,
			       row->n_fds);
	return 0;
}

static int send_error(int code, enum msg_type type, struct err *e)
{
	if (code == EAGAIN || code == ENOBUFS)
		return err_set(e, -EAGAIN, "send %s: queue full", msg_name((uint16_t)type));
	if (code == ECONNRESET || code == EPIPE)
		return err_set(e, -EPIPE, "send %s: peer is gone", msg_name((uint16_t)type));
	return err_set(e, -code, "send %s: %s", msg_name((uint16_t)type), strerror(code));
}

int ipc_send(int fd, enum msg_type type, const void *body, size_t len, const int *fds, uint32_t n_fds, struct err *e)
{
	struct ipc_header h = { .type = (uint16_t)type, .n_fds = (uint16_t)n_fds, .len = (uint32_t)len };
	/* sendmsg(2) does not write to it. */
	union {
		const void *in;
		void *out;
	} bytes = { .in = body };
	struct iovec iov[2] = { { &h, sizeof(h) }, { bytes.out, len } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len != 0 ? 2 : 1 };
	int r = send_refused(type, len, n_fds, e);

	if (r < 0)
		return r;
	if (n_fds != 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return send_error(errno, type, e);
	}
}

/* Descriptors beyond MSG_FDS_MAX do not fit the control buffer: the kernel closes them and sets MSG_CTRUNC. */
static void take_fds(struct msghdr *m, struct ipc_msg *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (ret->n_fds < MSG_FDS_MAX)
				ret->fds[ret->n_fds++] = fd;
			else
				(void)close(fd);
		}
	}
}

static int recv_refused(const struct ipc_header *h, const struct ipc_msg *m, enum role self, enum role peer,
			struct err *e)
{
	const struct msg_row *row = row_find(h->type);

	if (row == NULL)
		return err_set(e, -EBADMSG, "message of unknown type %u from %s", h->type, role_name(peer));
	if ((row->from != ROLE_NONE && row->from != peer) || (row->to != ROLE_NONE && row->to != self))
		return err_set(e, -EBADMSG, "message %s may not go from %s to %s", row->name, role_name(peer),
			       role_name(self));
	if (h->len != m->len || m->len < row->min || m->len > row->max)
		return err_set(e, -EBADMSG, "message %s from %s: %u bytes, said %u, allowed %u to %u", row->name,
			       role_name(peer), m->len, h->len, row->min, row->max);
	if (h->n_fds != m->n_fds || m->n_fds != row->n_fds)
		return err_set(e, -EBADMSG, "message %s from %s: %u descriptors, said %u, allowed %u", row->name,
			       role_name(peer), m->n_fds, h->n_fds, row->n_fds);
	return 0;
}

int ipc_recv(int fd, enum role self, enum role peer, struct ipc_msg *ret, struct err *e)
{
	struct ipc_header h = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { ret->body, sizeof(ret->body) } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct msghdr m = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t got;
	int r;

	ret->type = 0;
	ret->len = 0;
	ret->n_fds = 0;
	do
		got = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(e, -EAGAIN, "nothing from %s", role_name(peer));
	/* No record of ours is empty, so 0 is the end and not an empty record. */
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return err_set(e, -EPIPE, "%s has closed its channel", role_name(peer));
	if (got < 0)
		return err_set(e, -errno, "receive from %s: %s", role_name(peer), strerror(errno));
	take_fds(&m, ret);
	ret->type = h.type;
	ret->len = (size_t)got >= sizeof(h) ? (uint32_t)((size_t)got - sizeof(h)) : 0;
	if ((size_t)got < sizeof(h) || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		r = err_set(e, -EBADMSG, "truncated message from %s", role_name(peer));
	else
		r = recv_refused(&h, ret, self, peer, e);
	if (r < 0)
		ipc_msg_done(ret);
	return r;
}

void ipc_msg_done(struct ipc_msg *m)
{
	for (uint32_t i = 0; i < m->n_fds; i++)
		fd_closep(&m->fds[i]);
	m->n_fds = 0;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len != 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int memfd_sealed(const char *name, const void *data, size_t len, int *ret_fd, struct err *e)
{
	CLEANUP(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	int r;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(e, -errno, "memfd %s: %s", name, strerror(errno));
	r = write_all(fd, data, len);
	if (r < 0)
		return err_set(e, r, "memfd %s: write: %s", name, strerror(-r));
	if (fcntl(fd, F_ADD_SEALS, MEMFD_SEALS | F_SEAL_SEAL) < 0)
		return err_set(e, -errno, "memfd %s: seal: %s", name, strerror(errno));
	*ret_fd = fd_take(&fd);
	return 0;
}

int memfd_map(int fd, const void **ret, size_t *ret_len, struct err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	/* Unsealed, the sender could change what we have checked, or shrink it under us (SIGBUS). */
	if (seals < 0 || (seals & MEMFD_SEALS) != MEMFD_SEALS)
		return err_set(e, -EBADMSG, "descriptor is not a sealed memfd");
	if (fstat(fd, &st) < 0)
		return err_set(e, -errno, "fstat: %s", strerror(errno));
	if (st.st_size == 0) {
		*ret = NULL;
		*ret_len = 0;
		return 0;
	}
	/* Private: kernels before 6.7 refuse shared maps of a write-sealed file. The pages are shared all the same. */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_set(e, -errno, "map %lld bytes: %s", (long long)st.st_size, strerror(errno));
	*ret = p;
	*ret_len = (size_t)st.st_size;
	return 0;
}
