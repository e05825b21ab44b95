/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "netns.h"

#include <sched.h>

const char *output_of(const char *command)
{
	static char text[1 << 20];
	FILE *in = popen(command, "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	(void)pclose(in);
	return text;
}

void assert_listed(const char *text)
{
	const char *all = output_of("nft list table inet sluice 2>&1");

	if (strstr(all, text) == NULL)
		fail_msg("not listed: %s\n%s", text, all);
}

void assert_not_listed(const char *text)
{
	const char *all = output_of("nft list table inet sluice 2>&1");

	if (strstr(all, text) != NULL)
		fail_msg("listed: %s\n%s", text, all);
}

int netns_setup(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL || unshare(CLONE_NEWNET) == -1 || nft_channel_open(&s->ch, &s->e) < 0 ||
	    nft_channel_probe(s->ch, &s->e) < 0 || learned_new(&s->l, &s->e) < 0)
		return -1;
	s->f = fixture_new();
	*state = s;
	return 0;
}

int netns_teardown(void **state)
{
	struct state *s = *state;

	(void)nft_channel_free(s->ch);
	(void)fixture_free(s->f);
	(void)learned_free(s->l);
	free(s);
	return 0;
}

void apply(struct state *s, const struct nft_prog *from, const struct nft_prog *to, struct nft_apply_result *res)
{
	ASSERT_OK(s, nft_apply(s->ch, from, to, s->l, NOW, res, &s->e));
}

struct learn_req request(const uint32_t *mark, const struct ip_addr *addrs, uint32_t n, uint32_t ttl_s)
{
	return (struct learn_req){
		.client = ip("100.64.0.1"), .ttl_s = ttl_s, .rules = mark, .n_rules = 1, .addrs = addrs, .n_addrs = n
	};
}
