/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Put before libmnl by LD_PRELOAD: while the file that $LOSSY_WHILE names is there, no piece of a dump of the
 * connection table arrives. */
#include <dlfcn.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <unistd.h>

typedef ssize_t recvfrom_fn(const struct mnl_socket *nl, void *buf, size_t size);

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	union {
		void *symbol;
		recvfrom_fn *fn;
	} real = { .symbol = dlsym(RTLD_NEXT, "mnl_socket_recvfrom") };
	const char *file = getenv("LOSSY_WHILE");
	const struct nlmsghdr *nlh = buf;
	ssize_t n;

	if (real.symbol == NULL)
		abort();
	n = real.fn(nl, buf, size);
	if (n <= 0 || nlh->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK || file == NULL || access(file, F_OK) == -1)
		return n;
	errno = ENOBUFS;
	return -1;
}
