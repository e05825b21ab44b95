/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a datagram of the nflog socket. */
#include "recorder/nflog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rcur c = rcur_over(data, size);
	struct nflog_drop d;
	int r;

	while ((r = nflog_next(&c, &d)) == 1) {
		if (d.reason >= DROP_REASON_MAX || d.src.family == IP_NONE || d.src.family != d.dst.family ||
		    (!d.has_ports && (d.src_port != 0 || d.dst_port != 0)))
			abort();
	}
	if (r != 0 && r != -EBADMSG)
		abort();
	return 0;
}
