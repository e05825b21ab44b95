/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as compiled addresses: refused, or what the compiler relies on holds. */
#include "geo/prefix_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct prefix_file f;

	if (prefix_file_read(data, size, &f, NULL) < 0)
		return 0;
	for (uint32_t i = 0; i < f.n; i++) {
		const struct prefix_source *s = &f.sources[i];

		if (s->key[0] == '\0' || strlen(s->key) >= PREFIX_KEY_MAX || s->kind >= PREFIX_KIND_MAX)
			abort();
		for (uint32_t k = 0; k < s->n_ranges; k++) {
			if (ip_addr_cmp(&s->ranges[k].first, &s->ranges[k].last) > 0 ||
			    (k != 0 && ip_addr_cmp(&s->ranges[k - 1].last, &s->ranges[k].first) >= 0))
				abort();
		}
	}
	prefix_file_done(&f);
	return 0;
}
