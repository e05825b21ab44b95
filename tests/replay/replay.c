/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plays a scenario: dnsd's way from question to answer in one process, with scripted upstreams, clients and kernel, and
 * a clock that only the scenario moves. usage: replay FILE. Status 0: all came as it was written. */
#include "world.h"

#define ASK_SIZE 1232u /* EDNS of clients, where the scenario does not say another */

typedef void step_fn(struct world *w, const struct step *s);

static void step_list(struct world *w, const struct step *s)
{
	if (s->n_words != 2)
		step_fail(s, "list NAME");
	for (unsigned i = 0; i < w->n_lists; i++)
		if (strcmp(w->lists[i]->words[1], s->words[1]) == 0) {
			w->lists[i] = s;
			return;
		}
	if (w->n_lists == WORLD_LISTS_MAX)
		step_fail(s, "more than %u lists", WORLD_LISTS_MAX);
	w->lists[w->n_lists++] = s;
}

/* The block between @head and @tail. */
static char *block_text(const struct step *s, const char *head, const char *tail)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		abort();
	fputs(head, out);
	for (unsigned i = 0; i < s->n_block; i++)
		fprintf(out, "%s\n", s->block[i].text);
	fputs(tail, out);
	(void)fclose(out);
	return text;
}

static void step_policy(struct world *w, const struct step *s)
{
	free(w->policy);
	w->policy = block_text(s, "", "");
	world_views(w, s);
}

/* Only the policy's "dns", for devices that may go everywhere. */
static void step_dns(struct world *w, const struct step *s)
{
	free(w->policy);
	w->policy = block_text(s,
			       "{\"tagOwners\": {\"tag:server\": [], \"tag:tv\": []},"
			       "\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"ip\": [\"*\"]}],"
			       "\"dns\": {\n",
			       "}}");
	world_views(w, s);
}

static void step_devices(struct world *w, const struct step *s)
{
	free(w->devices);
	w->devices = block_text(s, "", "");
	world_views(w, s);
}

static void step_answer(struct world *w, const struct step *s)
{
	upstream_answer(w->upstream, s);
}

static void step_asked(struct world *w, const struct step *s)
{
	upstream_asked(w->upstream, s);
}

static struct ip_addr client_of(const struct world *w, const struct step *s, const char *text)
{
	struct ip_addr addr;

	if (ip_addr_parse(text, &addr) == 0)
		return addr;
	for (uint32_t i = 0; i < w->views->n_clients; i++)
		if (strcmp(w->views->clients[i].device, text) == 0)
			return w->views->clients[i].addr;
	step_fail(s, "'%s' is neither an active device nor an address", text);
}

static bool ask_flag(struct ask *a, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
	} flags[] = { { "do", &a->dnssec_ok }, { "ad", &a->ad }, { "cd", &a->cd } };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(word, flags[i].word) != 0)
			continue;
		*flags[i].flag = true;
		return true;
	}
	if (strcmp(word, "noedns") == 0)
		a->size = 0;
	else if (strcmp(word, "nord") == 0)
		a->rd = false;
	else
		return false;
	return true;
}

static void ask_word(struct asking *a, unsigned *count, const struct step *s, const char *word)
{
	const char *value;

	if ((value = word_value(word, "size")) != NULL)
		a->ask.size = (uint16_t)step_number(s, value, 65535);
	else if ((value = word_value(word, "version")) != NULL)
		a->ask.version = (uint8_t)step_number(s, value, 255);
	else if ((value = word_value(word, "opcode")) != NULL)
		a->ask.opcode = (uint8_t)step_number(s, value, 15);
	else if ((value = word_value(word, "class")) != NULL)
		a->ask.class_ = ldns_get_rr_class_by_name(value);
	else if ((value = word_value(word, "as")) != NULL)
		a->label = value;
	else if ((value = word_value(word, "times")) != NULL)
		*count = (unsigned)step_number(s, value, WORLD_ASKS_MAX);
	else if (strcmp(word, "tcp") == 0)
		a->tcp = true;
	else if (!ask_flag(&a->ask, word))
		step_fail(s, "'%s' is not known", word);
}

/* What has come together is taken as one read of a socket, what came alone by itself. */
static void batch_send(struct world *w)
{
	if (w->n_batch == 1)
		w->batch_of[0]->dropped |= !ask(w->env, &w->batch[0]);
	else
		ask_batch(w->env, w->batch, w->n_batch);
	for (uint32_t i = 0; i < w->n_batch; i++)
		free(w->batch_msgs[i]);
	w->n_batch = 0;
}

static void batch_add(struct world *w, const struct asking *like, const struct ip_addr *client)
{
	struct asking *a = &w->asks[w->n_asks];
	struct ask_message *m = &w->batch[w->n_batch];
	size_t len = 0;

	if (w->n_asks == WORLD_ASKS_MAX)
		step_fail(like->step, "more than %u questions", WORLD_ASKS_MAX);
	if (w->n_batch == ASK_BATCH)
		step_fail(like->step, "more than %u questions together", ASK_BATCH);
	*a = *like;
	a->ask.id = (uint16_t)(1000 + w->n_asks);
	w->n_asks++;
	ask_write(a->step, &a->ask, &w->batch_msgs[w->n_batch], &len);
	*m = (struct ask_message){ .msg = w->batch_msgs[w->n_batch], .len = len, .addr = *client };
	m->from.transport = a->tcp ? DNS_TRANSPORT_TCP : DNS_TRANSPORT_UDP;
	if (a->tcp)
		m->from.tcp = (void *)a; /* looked at by client_answer() only */
	else
		m->from.udp = a;
	w->batch_of[w->n_batch++] = a;
}

/* ask DEVICE NAME TYPE [WORD...] */
static void step_ask(struct world *w, const struct step *s)
{
	struct asking a = { .step = s, .ask = { .class_ = LDNS_RR_CLASS_IN, .size = ASK_SIZE, .rd = true } };
	struct ip_addr client;
	unsigned count = 1;
	bool together = false; /* with the next one */

	if (s->n_words < 4)
		step_fail(s, "ask DEVICE NAME TYPE [WORD...]");
	client = client_of(w, s, s->words[1]);
	a.ask.name = s->words[2];
	a.ask.type = type_read(s, s->words[3]);
	for (unsigned i = 4; i < s->n_words; i++) {
		if (strcmp(s->words[i], "together") == 0)
			together = true;
		else
			ask_word(&a, &count, s, s->words[i]);
	}
	if (together && a.tcp)
		step_fail(s, "what comes over TCP comes alone");
	for (unsigned i = 0; i < count; i++) {
		batch_add(w, &a, &client);
		if (!together)
			batch_send(w);
	}
	if (!together)
		world_turn(w);
}

static size_t size_allowed(const struct asking *a)
{
	if (a->tcp)
		return DNS_MESSAGE_MAX;
	if (a->ask.size <= 512)
		return 512;
	return a->ask.size < ASK_SIZE ? a->ask.size : ASK_SIZE;
}

static void want_word(struct want *want, const struct step *s, unsigned *i)
{
	const char *word = s->words[*i], *value;

	if ((value = word_value(word, "ede")) != NULL) {
		want->ede = (int)step_number(s, value, 65535);
		if (*i + 1 < s->n_words && s->words[*i + 1][0] == '"')
			want->ede_text = s->words[++*i] + 1;
	} else if ((value = word_value(word, "records")) != NULL) {
		want->n_answer = (long)step_number(s, value, 65535);
		want->any_records = true;
	} else if (strcmp(word, "aa") == 0) {
		want->aa = true;
	} else if (strcmp(word, "ad") == 0) {
		want->ad = true;
	} else if (strcmp(word, "tc") == 0) {
		want->tc = true;
	} else if (word_value(word, "of") == NULL) {
		step_fail(s, "'%s' is not known", word);
	}
}

static void expect_one(struct asking *a, const struct step *s)
{
	struct want want = { .ede = -1, .n_answer = -1, .size_max = size_allowed(a) };

	if (strcmp(s->words[1], "nothing") == 0) {
		if (a->answered)
			step_fail(s, "wanted no answer yet, got one");
		return;
	}
	a->checked = true;
	if (strcmp(s->words[1], "dropped") == 0) {
		if (!a->dropped)
			step_fail(s, "wanted the question to be dropped, it was taken");
		return;
	}
	want.rcode = rcode_read(s, s->words[1]);
	for (unsigned i = 2; i < s->n_words; i++)
		want_word(&want, s, &i);
	if (!a->answered)
		step_fail(s, "wanted an answer, none came");
	want_check(s, &a->ask, &want, a->msg, a->len);
}

static const char *step_label(const struct step *s)
{
	const char *value = NULL;

	for (unsigned i = 2; i < s->n_words && value == NULL; i++)
		value = word_value(s->words[i], "of");
	return value;
}

/* expect RCODE|nothing|dropped [WORD...]: of the last directive "ask", or of those with that label. */
static void step_expect(struct world *w, const struct step *s)
{
	const char *label = step_label(s);
	const struct step *of = w->n_asks != 0 ? w->asks[w->n_asks - 1].step : NULL;
	unsigned n = 0;

	if (s->n_words < 2)
		step_fail(s, "expect RCODE|nothing|dropped [WORD...]");
	for (unsigned i = 0; i < w->n_asks; i++) {
		struct asking *a = &w->asks[i];
		bool meant = label != NULL ? a->label != NULL && strcmp(a->label, label) == 0 : a->step == of;

		if (!meant)
			continue;
		expect_one(a, s);
		n++;
	}
	if (n == 0)
		step_fail(s, "no question was asked%s%s", label != NULL ? " as " : "", label != NULL ? label : "");
}

static void step_wait(struct world *w, const struct step *s)
{
	if (s->n_words != 2)
		step_fail(s, "wait TIME");
	world_wait(w, step_duration(s, s->words[1]));
}

/* limits [queries=N] [misses=N] [errors=N] */
static void step_limits(struct world *w, const struct step *s)
{
	struct ratelimit_config config = { 0 };

	for (unsigned i = 1; i < s->n_words; i++) {
		const char *value;

		if ((value = word_value(s->words[i], "queries")) != NULL)
			config.queries = (uint32_t)step_number(s, value, RATELIMIT_MAX);
		else if ((value = word_value(s->words[i], "misses")) != NULL)
			config.misses = (uint32_t)step_number(s, value, RATELIMIT_MAX);
		else if ((value = word_value(s->words[i], "errors")) != NULL)
			config.errors = (uint32_t)step_number(s, value, RATELIMIT_MAX);
		else
			step_fail(s, "'%s' is not known", s->words[i]);
	}
	(void)ratelimit_free(w->env->limits);
	w->env->limits = ratelimit_new(&config);
	if (w->env->limits == NULL || ratelimit_clients(w->env->limits, w->views->n_clients) != 0)
		abort();
}

/* flush [NAME [below]] */
static void step_flush(struct world *w, const struct step *s)
{
	struct dname name;
	bool below = s->n_words == 3 && strcmp(s->words[2], "below") == 0;

	if (s->n_words > 3 || (s->n_words == 3 && !below))
		step_fail(s, "flush [NAME [below]]");
	if (s->n_words != 1 && dname_parse(s->words[1], strlen(s->words[1]), &name) != 0)
		step_fail(s, "'%s' is no name", s->words[1]);
	(void)cache_flush(w->env->cache, s->n_words != 1 ? &name : NULL, below || s->n_words == 1);
}

/* gateway acks|holds|fails ERRNO */
static void step_gateway(struct world *w, const struct step *s)
{
	const char *how = s->n_words > 1 ? s->words[1] : "";

	if (strcmp(how, "holds") == 0 && s->n_words == 2) {
		w->gateway = GATEWAY_HOLDS;
		return;
	}
	if (strcmp(how, "acks") == 0 && s->n_words == 2) {
		w->gateway = GATEWAY_ACKS;
	} else if (strcmp(how, "fails") == 0 && s->n_words == 3) {
		w->gateway = GATEWAY_FAILS;
		w->gateway_status = strcmp(s->words[2], "ESTALE") == 0	 ? -ESTALE
				    : strcmp(s->words[2], "ENOSPC") == 0 ? -ENOSPC
									 : -EIO;
	} else {
		step_fail(s, "gateway acks, gateway holds or gateway fails ESTALE|ENOSPC|EIO");
	}
	world_ack(w);
	world_turn(w);
}

static bool learned_has(const struct world *w, const struct learned *l, const char *pos)
{
	for (uint32_t i = 0; i < l->head.n_rules; i++) {
		if (l->marks[i] == LEARN_SEEN && strcmp(pos, "given") == 0)
			return true;
		for (uint32_t k = 0; k < w->views->n_rules; k++)
			if (w->views->rules[k].mark == l->marks[i] && strcmp(w->views->rules[k].pos, pos) == 0)
				return true;
	}
	return false;
}

static void learned_addrs(const struct step *s, const struct learned *l)
{
	char text[IP_TEXT_MAX];

	for (unsigned i = 4; i < s->n_words; i++) {
		bool found = false;

		for (uint32_t k = 0; k < l->head.n_addrs && !found; k++)
			found = strcmp(ip_addr_print(&l->addrs[k], text), s->words[i]) == 0;
		if (!found)
			step_fail(s, "%s was not learned", s->words[i]);
	}
	if (l->head.n_addrs != s->n_words - 4)
		step_fail(s, "wanted %u addresses, got %u", s->n_words - 4, l->head.n_addrs);
}

/* learned DEVICE RULE ttl=N ADDRESS...: the oldest that was not looked at. RULE: /grants/0, or "given": the set of what
 * a resolve-first device was given. */
static void step_learned(struct world *w, const struct step *s)
{
	const char *ttl = s->n_words > 4 ? word_value(s->words[3], "ttl") : NULL;
	struct ip_addr client;
	unsigned i = 0;

	if (ttl == NULL)
		step_fail(s, "learned DEVICE RULE ttl=N ADDRESS...");
	while (i < w->n_learned && w->learned[i].checked)
		i++;
	if (i == w->n_learned)
		step_fail(s, "nothing was learned");
	w->learned[i].checked = true;
	client = client_of(w, s, s->words[1]);
	if (ip_addr_cmp(&client, &w->learned[i].head.client) != 0)
		step_fail(s, "it was learned for another client");
	if (!learned_has(w, &w->learned[i], s->words[2]))
		step_fail(s, "it was learned for other rules");
	if (w->learned[i].head.ttl_s != step_number(s, ttl, UINT32_MAX))
		step_fail(s, "ttl: wanted %s, got %u", ttl, w->learned[i].head.ttl_s);
	learned_addrs(s, &w->learned[i]);
}

static uint64_t count_find(const struct world *w, const struct step *s, const char *name)
{
	const struct dns_counts *c = &w->env->stats.counts;

	for (uint32_t i = 0; i < DNS_OUTCOME_MAX; i++)
		if (strcmp(dns_outcome_name((enum dns_outcome)i), name) == 0)
			return c->outcomes[i];
	for (uint32_t i = 0; i < DNS_EVENT_MAX; i++)
		if (strcmp(dns_event_name((enum dns_event)i), name) == 0)
			return c->events[i];
	step_fail(s, "'%s' is not counted", name);
}

/* counted NAME=N...: since the scenario began. */
static void step_counted(struct world *w, const struct step *s)
{
	for (unsigned i = 1; i < s->n_words; i++) {
		char *value = strchr(s->words[i], '=');
		uint64_t got;

		if (value == NULL)
			step_fail(s, "counted NAME=N...");
		*value++ = '\0';
		got = count_find(w, s, s->words[i]);
		if (got != step_number(s, value, UINT32_MAX))
			step_fail(s, "%s: wanted %s, got %" PRIu64, s->words[i], value, got);
	}
}

static step_fn *step_find(const struct step *s)
{
	static const struct {
		const char *word;
		step_fn *fn;
	} directives[] = {
		{ "policy", step_policy },   { "dns", step_dns },	  { "list", step_list },
		{ "devices", step_devices }, { "answer", step_answer },	  { "asked", step_asked },
		{ "ask", step_ask },	     { "expect", step_expect },	  { "wait", step_wait },
		{ "gateway", step_gateway }, { "learned", step_learned }, { "flush", step_flush },
		{ "limits", step_limits },   { "counted", step_counted },
	};

	for (size_t i = 0; i < ARRAY_LEN(directives) && s->n_words != 0; i++)
		if (strcmp(directives[i].word, s->words[0]) == 0)
			return directives[i].fn;
	step_fail(s, "'%s' is no directive", s->n_words != 0 ? s->words[0] : "");
}

int main(int argc, char **argv)
{
	struct world *w = calloc(1, sizeof(*w));
	struct step plain = { .path = argc == 2 ? argv[1] : "" };
	struct script script;

	if (argc != 2 || w == NULL) {
		fprintf(stderr, "usage: replay FILE\n");
		return 2;
	}
	script_read(argv[1], &script);
	world_open(w, argv[1]);
	step_dns(w, &plain);
	for (unsigned i = 0; i < script.n_steps; i++) {
		upstream_at(w->upstream, &script.steps[i]);
		step_find (&script.steps[i])(w, &script.steps[i]);
	}
	world_close(w, script.n_steps != 0 ? &script.steps[script.n_steps - 1] : &plain);
	script_done(&script);
	free(w);
	return 0;
}
