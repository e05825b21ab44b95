/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a compiled list file: refused, or every look-up stays inside. The input's first byte says how to change
 * a good file: 0: the input is the file; else the good file is overwritten at places that the input names, so that most
 * inputs get past the header. */
#include "filter/listbuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char sample[] =
	"||ads.example^\nexact.example\n@@||cdn.example^\n||a.b.c^\n||d.e^\n0.0.0.0 f.example g.example\n"
	"||h.example^\n||i.example^\n*.j.example\n.k.example\n|l.example^\n||com^\n||x.com^\n";

static void look_up(const void *file, size_t len)
{
	static const char *const names[] = { "a.ads.example", "exact.example", "cdn.example", "x.y.z.com", "." };
	struct listfile *f = NULL;

	if (listfile_open(file, len, &f, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct list_match hit;
		struct dname name;
		char rule[64];

		if (dname_parse(names[i], strlen(names[i]), &name) == 0 &&
		    listfile_match_name(f, UINT64_MAX, &name, &hit))
			list_rule_print(&hit.hit.rule, rule, sizeof(rule));
	}
	for (uint32_t i = 0; i <= LISTS_MAX; i++)
		if (strlen(listfile_name(f, i)) > len)
			abort();
	listfile_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct list_builder *b;
	void *image = NULL;
	size_t image_len = 0;

	if (len == 0)
		return 0;
	if (data[0] == 0) {
		image = malloc(len);
		if (image == NULL)
			return 0;
		memcpy(image, data + 1, len - 1);
		look_up(image, len - 1);
		free(image);
		return 0;
	}
	b = list_builder_new();
	if (b == NULL || list_builder_add_text(b, 3, sample, sizeof(sample) - 1, NULL, NULL) < 0 ||
	    list_builder_name(b, 3, "sample", NULL) < 0 || list_builder_image(b, &image, &image_len, NULL) < 0)
		abort();
	for (size_t i = 1; i + 2 < len; i += 3) /* place (two bytes), value */
		((uint8_t *)image)[(size_t)(data[i] << 8 | data[i + 1]) % image_len] = data[i + 2];
	look_up(image, image_len);
	free(image);
	list_builder_free(b);
	return 0;
}
