/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice drops`: the packets that the gateway has just refused, by device, destination and rule. What it may tell and
 * what it has kept is the gateway's; here it is filtered and printed. --follow asks again and again for what came
 * since; the gateway lets each question wait until there is something. */
#include "cli/drops.h"

#include "cli/cli.h"

#include <getopt.h>
#include <netinet/in.h>
#include <time.h>

#define RECONNECT_MS 500 /* a gateway that is started again is back within a second */
#define TIME_MAX     40

static const char help[] =
	"usage: sluice drops [--config FILE] [--follow] [--device D] [--json]\n\n"
	"The packets that the gateway has refused last, newest last: device, destination, and the rule or reason.\n"
	"Only of devices whose \"logs\" have flows blocked, counts or full, and of unknown ones. The kernel tells of\n"
	"50 a second at most; 'sluice status' has how many there were, 'sluice rules' how many of each rule.\n"
	"  --follow     go on with what is refused from now on\n"
	"  --device D   of this device (name, or source address)\n"
	"  --json       one JSON object a line\n";

struct options {
	const char *config, *device;
	bool follow, json;
};

uint64_t drops_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static const char *text_of(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static bool text_is(const cJSON *o, const char *name, const char *want)
{
	const char *text = text_of(o, name);

	return text != NULL && strcmp(text, want) == 0;
}

const cJSON *drops_newest(const cJSON *answer, const char *device, const char *dst)
{
	const cJSON *drop, *newest = NULL;

	cJSON_ArrayForEach(drop, cJSON_GetObjectItemCaseSensitive(answer, "drops"))
	{
		if (text_is(drop, "device", device) && text_is(drop, "dst", dst))
			newest = drop;
	}
	return newest;
}

const char *drop_age_print(const cJSON *drop, uint64_t now_us, char buf[DROP_AGE_MAX])
{
	double us = (double)now_us - number_of(drop, "at_us");
	uint64_t s = us > 0 ? (uint64_t)(us / 1e6) : 0;

	if (s < 120)
		(void)snprintf(buf, DROP_AGE_MAX, "%llu s ago", (unsigned long long)s);
	else if (s < 7200)
		(void)snprintf(buf, DROP_AGE_MAX, "%llu min ago", (unsigned long long)(s / 60));
	else
		(void)snprintf(buf, DROP_AGE_MAX, "%llu h ago", (unsigned long long)(s / 3600));
	return buf;
}

static const char *proto_name(int proto)
{
	switch (proto) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	case IPPROTO_SCTP:
		return "sctp";
	default:
		return NULL;
	}
}

const char *drop_service_print(const cJSON *drop, char buf[DROP_SERVICE_MAX])
{
	int proto = (int)number_of(drop, "proto");
	const char *name = proto_name(proto);
	char number[8];

	buf[0] = '\0';
	if (cJSON_GetObjectItemCaseSensitive(drop, "proto") == NULL)
		return buf;
	(void)snprintf(number, sizeof(number), "%d", proto & 0xff);
	if (cJSON_GetObjectItemCaseSensitive(drop, "port") != NULL)
		(void)snprintf(buf, DROP_SERVICE_MAX, "%s/%u", name != NULL ? name : number,
			       (unsigned)number_of(drop, "port"));
	else
		(void)snprintf(buf, DROP_SERVICE_MAX, "%s", name != NULL ? name : number);
	return buf;
}

const char *drop_why_print(const cJSON *drop, char buf[DROP_WHY_MAX])
{
	static const struct {
		const char *reason, *why;
	} whys[] = {
		{ "norule", "no rule allows it" },
		{ "unseen", "resolve-first: the resolver did not give it this address" },
		{ "quarantined", "the device is not active" },
		{ "unknown", "no device is registered with this address" },
		{ "deny", "refused by a rule that is gone" },
	};
	const char *rule = text_of(drop, "rule"), *reason = text_of(drop, "reason"), *iif = text_of(drop, "iif");

	(void)snprintf(buf, DROP_WHY_MAX, "%s", reason != NULL ? reason : "-");
	if (rule != NULL)
		(void)snprintf(buf, DROP_WHY_MAX, "refused by %s (%.400s:%.0f:%.0f)", rule,
			       text_of(drop, "file") != NULL ? text_of(drop, "file") : "-", number_of(drop, "line"),
			       number_of(drop, "col"));
	else if (reason != NULL && strcmp(reason, "spoofed") == 0)
		(void)snprintf(buf, DROP_WHY_MAX, "spoofed: came in by %s, not the tunnel", iif != NULL ? iif : "-");
	for (size_t i = 0; rule == NULL && reason != NULL && i < ARRAY_LEN(whys); i++)
		if (strcmp(whys[i].reason, reason) == 0)
			(void)snprintf(buf, DROP_WHY_MAX, "%s", whys[i].why);
	return buf;
}

static const char *time_print(const cJSON *drop, char buf[TIME_MAX])
{
	double us = number_of(drop, "at_us");
	time_t s = (time_t)(us / 1e6);
	char day[TIME_MAX / 2];
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return "-";
	(void)snprintf(buf, TIME_MAX, "%s.%03uZ", day, (unsigned)((us - (double)s * 1e6) / 1e3) % 1000u);
	return buf;
}

static void json_print(cJSON *drop)
{
	char time[TIME_MAX], *text;

	(void)cJSON_AddStringToObject(drop, "at", time_print(drop, time));
	cJSON_DeleteItemFromObjectCaseSensitive(drop, "at_us");
	text = cJSON_PrintUnformatted(drop);
	if (text != NULL)
		puts(text);
	free(text);
}

static void line_print(const cJSON *drop, uint32_t times)
{
	const char *device = text_of(drop, "device"), *src = text_of(drop, "src"), *dst = text_of(drop, "dst");
	char time[TIME_MAX], service[DROP_SERVICE_MAX], why[DROP_WHY_MAX], count[24] = "";

	if (times > 1)
		(void)snprintf(count, sizeof(count), "  (%u times)", times);
	printf("%s  %s (%s) > %s %s  %s%s\n", time_print(drop, time), device != NULL ? device : "-",
	       src != NULL ? src : "-", dst != NULL ? dst : "(destinations are not kept)",
	       drop_service_print(drop, service), drop_why_print(drop, why), count);
}

/* What the second would say again. */
static bool says_the_same(const cJSON *a, const cJSON *b)
{
	static const char *const members[] = { "device", "src", "dst", "reason", "rule", "iif" };
	static const char *const numbers[] = { "proto", "port" };
	bool same = true;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const char *x = text_of(a, members[i]), *y = text_of(b, members[i]);

		same = same && ((x == NULL && y == NULL) || (x != NULL && y != NULL && strcmp(x, y) == 0));
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		same = same && (uint32_t)number_of(a, numbers[i]) == (uint32_t)number_of(b, numbers[i]);
	return same;
}

static bool is_wanted(const struct options *o, const cJSON *drop)
{
	return o->device == NULL || text_is(drop, "device", o->device) || text_is(drop, "src", o->device);
}

/* Repeats one after another are one line, the last of them: a client that tries again and again says nothing new. */
static void drops_print(const struct options *o, const cJSON *answer)
{
	const cJSON *before = NULL;
	uint32_t times = 0;
	cJSON *drop;

	cJSON_ArrayForEach(drop, cJSON_GetObjectItemCaseSensitive(answer, "drops"))
	{
		if (!is_wanted(o, drop))
			continue;
		if (o->json) {
			json_print(drop);
			continue;
		}
		if (before != NULL && !says_the_same(before, drop)) {
			line_print(before, times);
			times = 0;
		}
		before = drop;
		times++;
	}
	if (before != NULL)
		line_print(before, times);
	(void)fflush(stdout);
}

/* Who is not in what follows, on standard error: lines of JSON are for machines. */
static void preface_print(const cJSON *answer)
{
	double silent = number_of(answer, "devices_silent"), lost = number_of(answer, "lost");

	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "told")))
		fprintf(stderr, "sluice: refused packets are counted only: %s\n",
			text_of(answer, "error") != NULL ? text_of(answer, "error") : "-");
	if (silent > 0)
		fprintf(stderr, "not shown: %.0f of %.0f devices, whose logs are off or under pseudonyms\n", silent,
			number_of(answer, "devices"));
	if (lost > 0)
		fprintf(stderr, "%.0f messages of the kernel were lost\n", lost);
}

static int ask(const struct cli_gateway *g, double after, bool wait, cJSON **ret, struct err *e)
{
	char request[128];

	(void)snprintf(request, sizeof(request), "{\"cmd\":\"drops\",\"after\":%.0f,\"wait\":%s}", after,
		       wait ? "true" : "false");
	return control_request(g, request, ret, e);
}

/* Until interrupted, or until nobody reads what is printed. */
static int follow(const struct cli_gateway *g, const struct options *o, double after)
{
	const struct timespec pause = { .tv_nsec = RECONNECT_MS * 1000000L };
	bool away = false;

	while (ferror(stdout) == 0) {
		struct err e = { 0 };
		cJSON *answer = NULL;

		if (ask(g, after, /* wait= */ true, &answer, &e) < 0) {
			if (!away)
				fprintf(stderr, "sluice: %s; waiting for it\n", e.msg);
			away = true;
			(void)nanosleep(&pause, NULL);
			continue;
		}
		away = false;
		drops_print(o, answer);
		after = number_of(answer, "last");
		cJSON_Delete(answer);
	}
	return CLI_OK;
}

/* Negative to go on, else the exit code. */
static int options_parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "device", required_argument, NULL, 'd' },
		{ "follow", no_argument, NULL, 'f' },	    { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "c:d:fjh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			ret->config = optarg;
			break;
		case 'd':
			ret->device = optarg;
			break;
		case 'f':
			ret->follow = true;
			break;
		case 'j':
			ret->json = true;
			break;
		default:
			fputs(help, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? CLI_OK : CLI_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(help, stderr);
	return CLI_USAGE;
}

int cmd_drops(int argc, char **argv)
{
	struct options o = { 0 };
	struct cli_gateway g = { 0 };
	struct err e = { 0 };
	cJSON *answer = NULL;
	int exit_code = options_parse(argc, argv, &o);

	if (exit_code >= 0)
		return exit_code;
	if (cli_gateway_load(o.config, &g) < 0)
		return CLI_BAD_INPUT;
	if (ask(&g, 0, /* wait= */ false, &answer, &e) < 0) {
		fprintf(stderr, "sluice: %s\n", e.msg);
		exit_code = CLI_BAD_INPUT;
	} else {
		preface_print(answer);
		drops_print(&o, answer);
		exit_code = o.follow ? follow(&g, &o, number_of(answer, "last")) : CLI_OK;
	}
	cJSON_Delete(answer);
	cli_gateway_done(&g);
	return exit_code;
}
