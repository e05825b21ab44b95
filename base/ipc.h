/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Channels between our processes: AF_UNIX SOCK_SEQPACKET, messages of sluice/msg.h, descriptors over SCM_RIGHTS.
 * Non-logging. */
#pragma once

#include "base/err.h"
#include "sluice/msg.h"

struct ipc_msg {
	uint16_t type; /* enum msg_type */
	uint32_t len;  /* of body */
	int fds[MSG_FDS_MAX];
	uint32_t n_fds;
	_Alignas(8) uint8_t body[MSG_BODY_MAX];
};

/* A pair of connected channel ends, close-on-exec, non-blocking, with buffers for a few hundred learn messages. */
int ipc_pair(int ret_fds[2], struct err *e);

/* Send one message. Descriptors stay the caller's. Returns 0; -EAGAIN when the peer's queue is full; other negative
 * errno. Checks type, length and descriptor count against the table (-EINVAL). Callable from any thread. */
int ipc_send(int fd, enum msg_type type, const void *body, size_t len, const int *fds, uint32_t n_fds, struct err *e);

/* Receive one message. @self and @peer: who we are and who is at the other end; a message that the table does not allow
 * in this direction, or of a wrong length or number of descriptors, is refused with -EBADMSG (its descriptors closed):
 * the channel is then of no more use. -EAGAIN: nothing there. -EPIPE: the peer is gone.
 * On success the descriptors are the caller's (ipc_msg_done() closes those not taken with fd_take()). */
int ipc_recv(int fd, enum role self, enum role peer, struct ipc_msg *ret, struct err *e);
void ipc_msg_done(struct ipc_msg *m);

const char *role_name(enum role role);
const char *msg_name(uint16_t type);

/* A sealed memfd with this content (no write, no grow, no shrink), for what is too long for a message. */
int memfd_sealed(const char *name, const void *data, size_t len, int *ret_fd, struct err *e);
/* Map a memfd read-only after checking that it is sealed. @ret_len may be 0 (then *ret is NULL). */
int memfd_map(int fd, const void **ret, size_t *ret_len, struct err *e);
