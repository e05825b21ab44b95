/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as the records of a response policy zone, by a list that may redirect and by one that may not: the zone's
 * head is put before them, so that what follows is read as zone text. Compiled, opened, asked. */
#include "filter/listbuild.h"
#include "list_asks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char head[] = "$TTL 300\n$ORIGIN rpz.test.\n@ SOA localhost. root.localhost. 1 3600 600 86400 300\n"
			   "@ NS localhost.\n";
static const char *const names[] = { "a.example", "x.a.example", "bad.test", ".", "drop.test", "a.rpz.test" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list_builder *b = list_builder_new();
	char *text = malloc(sizeof(head) + len);
	struct list_counts counts = { 0 };
	struct listfile *f = NULL;
	void *image = NULL;
	size_t image_len = 0;

	CHECK(b != NULL && text != NULL);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + sizeof(head) - 1, data, len);
	len += sizeof(head) - 1;
	CHECK(list_builder_trust(b, 0, NULL) == 0);
	for (uint32_t list = 0; list < 2; list++) {
		CHECK(list_builder_add_text(b, list, text, len, &counts, NULL) == 0);
		CHECK(counts.skipped + counts.refused <= counts.lines);
	}
	if (list_builder_image(b, &image, &image_len, NULL) == 0) {
		CHECK(listfile_open(image, image_len, &f, NULL) == 0);
		list_asks(f, names, ARRAY_LEN(names), data, len - (sizeof(head) - 1));
		listfile_free(f);
	}
	free(image);
	free(text);
	list_builder_free(b);
	return 0;
}
