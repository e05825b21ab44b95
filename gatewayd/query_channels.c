/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Both ends stay open here, so that what dnsd has sent waits while the recorder is started again, and a child that is
 * started again goes on with the pair of the one before. */
#include "gatewayd/query_channels.h"

int query_channels_open(struct query_channels *q, uint32_t workers, struct err *e)
{
	if (workers > BARRIER_WORKERS_MAX)
		return err_set(e, -E2BIG, "%u workers, at most %u", workers, BARRIER_WORKERS_MAX);
	for (q->n = 0; q->n < workers; q->n++) {
		int r = ipc_pair(q->fds[q->n], e);

		if (r < 0)
			return r;
	}
	return 0;
}

void query_channels_close(struct query_channels *q)
{
	for (uint32_t i = 0; i < q->n; i++) {
		fd_closep(&q->fds[i][QUERY_END_DNSD]);
		fd_closep(&q->fds[i][QUERY_END_RECORDER]);
	}
	q->n = 0;
}

int query_channels_send(const struct query_channels *q, enum query_end end, int fd, struct err *e)
{
	for (uint32_t i = 0; i < q->n; i++) {
		const struct msg_worker worker = { .worker = i };
		int r = ipc_send(fd, MSG_QUERY_LOG, &worker, sizeof(worker), &q->fds[i][end], 1, e);

		if (r < 0)
			return r;
	}
	return 0;
}
