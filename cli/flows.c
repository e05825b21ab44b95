/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `sluice flows`: the recorder's journal as one row a line, and its check. Reads files only; the gateway may be down.
 */
#include "cli/cli.h"
#include "cli/journal.h"

#include "base/err.h"
#include "recorder/rows.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>

/* A record that the recorder is writing at this moment is complete within this many looks; else it was cut short. */
#define TORN_LOOKS   5
#define ENDPOINT_MAX 80

static const char help[] =
	"usage: sluice flows [--journal DIR] [--device D] [--name N] [--rule P] [--since T] [--open] [--json]\n"
	"                    [--key FILE] [--follow]\n"
	"       sluice flows [--journal DIR] [--json] --verify\n\n"
	"One recorded flow a line; gaps in the record are lines too. Directory: --journal, else that of the gateway's\n"
	"settings (--config FILE, $SLUICE_CONFIG), else " JOURNAL_DIR_DEFAULT "\n"
	"  --device D   of this device (name, or source address)\n"
	"  --name N     to this name or a name below it\n"
	"  --rule P     opened by the rule at this position of the policy (/grants/0)\n"
	"  --since T    that were alive at T or later: 30m, 12h, 7d, seconds since 1970, or 2026-11-21T10:00:00Z\n"
	"  --open       only those without an end\n"
	"  --key FILE   private key (hex or base64) that a sealed journal is sealed to\n"
	"  --follow     go on with what is appended\n"
	"  --verify     check the chain: one line a segment, and one for each record that is not as it was written;\n"
	"               exit status 1 when there is any\n";

struct flows_options {
	const char *config, *journal, *device, *name, *rule, *key;
	uint64_t since_us;
	bool open, json, verify, follow;
};

static int options_parse(int argc, char **argv, struct flows_options *o)
{
	static const struct option longs[] = {
		{ "journal", required_argument, NULL, 'j' },
		{ "device", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "rule", required_argument, NULL, 'r' },
		{ "since", required_argument, NULL, 's' },
		{ "key", required_argument, NULL, 'k' },
		{ "open", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'J' },
		{ "verify", no_argument, NULL, 'v' },
		{ "follow", no_argument, NULL, 'f' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'j':
			o->journal = optarg;
			break;
		case 'd':
			o->device = optarg;
			break;
		case 'n':
			o->name = optarg;
			break;
		case 'r':
			o->rule = optarg;
			break;
		case 'k':
			o->key = optarg;
			break;
		case 's':
			if (journal_time_parse(optarg, &o->since_us) != 0)
				return -EINVAL;
			break;
		case 'o':
			o->open = true;
			break;
		case 'J':
			o->json = true;
			break;
		case 'v':
			o->verify = true;
			break;
		case 'f':
			o->follow = true;
			break;
		case 'h':
			return 1;
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

/* --- One value to text. --- */

static const char *proto_print(uint8_t proto, char buf[8])
{
	switch (proto) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "ipv6-icmp";
	case 132:
		return "sctp";
	default:
		(void)snprintf(buf, 8, "%u", proto);
		return buf;
	}
}

static const char *evidence_print(enum flow_evidence e)
{
	switch (e) {
	case FLOW_EVIDENCE_EXACT:
		return "exact";
	case FLOW_EVIDENCE_AMBIGUOUS:
		return "ambiguous";
	case FLOW_EVIDENCE_NONE:
	case FLOW_EVIDENCE_MAX:
		break;
	}
	return "none";
}

/* --- JSON rows: members stay, in this order. --- */

static void add_endpoint(cJSON *j, const char *name, const char *port_name, const struct ip_addr *a, uint16_t port)
{
	char buf[IP_TEXT_MAX];

	if (a->family == IP_NONE) {
		cJSON_AddNullToObject(j, name);
		cJSON_AddNullToObject(j, port_name);
		return;
	}
	cJSON_AddStringToObject(j, name, journal_addr_print(a, buf));
	cJSON_AddNumberToObject(j, port_name, port);
}

static void add_count(cJSON *j, const char *name, const struct flow_record *f, uint64_t n)
{
	if (f->counted)
		cJSON_AddNumberToObject(j, name, (double)n);
	else
		cJSON_AddNullToObject(j, name);
}

static void add_flow(cJSON *j, const struct flow_record *f)
{
	char buf[8];

	journal_add_time(j, "start", f->start_us);
	journal_add_time(j, "end", f->end_us);
	journal_add_text(j, "device", f->device);
	add_endpoint(j, "src", "sport", &f->src, f->src_port);
	add_endpoint(j, "dst", "dport", &f->dst, f->dst_port);
	if (f->proto != 0)
		cJSON_AddStringToObject(j, "proto", proto_print(f->proto, buf));
	else
		cJSON_AddNullToObject(j, "proto");
	journal_add_text(j, "name", f->name);
	cJSON_AddStringToObject(j, "evidence", evidence_print(f->evidence));
	cJSON_AddNumberToObject(j, "candidates", f->candidates);
	journal_add_text(j, "rule", f->rule);
	journal_add_text(j, "country",
			 (struct flow_text){ .at = f->country, .len = f->country[0] != '\0' ? sizeof(f->country) : 0 });
	if (f->as_number != 0)
		cJSON_AddNumberToObject(j, "asn", f->as_number);
	else
		cJSON_AddNullToObject(j, "asn");
	journal_add_text(j, "as_org", f->as_org);
	add_count(j, "tx_bytes", f, f->tx_bytes);
	add_count(j, "tx_packets", f, f->tx_packets);
	add_count(j, "rx_bytes", f, f->rx_bytes);
	add_count(j, "rx_packets", f, f->rx_packets);
	add_endpoint(j, "nat", "nat_port", &f->nat, f->nat_port);
	cJSON_AddStringToObject(j, "state", f->closed ? "closed" : "open");
}

/* --- Rows for people. --- */

static const char *endpoint_print(const struct ip_addr *a, uint16_t port, char buf[ENDPOINT_MAX])
{
	char addr[IP_TEXT_MAX];

	journal_addr_print(a, addr);
	if (a->family == IP_NONE)
		(void)snprintf(buf, ENDPOINT_MAX, "-");
	else if (a->family == IP_V6)
		(void)snprintf(buf, ENDPOINT_MAX, "[%s]:%u", addr, port);
	else
		(void)snprintf(buf, ENDPOINT_MAX, "%s:%u", addr, port);
	return buf;
}

static void traffic_print(const struct flow_record *f)
{
	if (!f->closed)
		(void)printf("  open");
	else if (f->counted)
		(void)printf("  tx %llu/%llu rx %llu/%llu", (unsigned long long)f->tx_bytes,
			     (unsigned long long)f->tx_packets, (unsigned long long)f->rx_bytes,
			     (unsigned long long)f->rx_packets);
	if (f->closed && f->start_us != 0)
		(void)printf("  %.1fs", (double)(f->end_us - f->start_us) / 1e6);
}

static void flow_print(const struct flow_record *f)
{
	char when[JOURNAL_TIME_MAX], src[ENDPOINT_MAX], dst[ENDPOINT_MAX], proto[8];
	char device[FLOW_TEXT_MAX + 1], text[FLOW_TEXT_MAX + 1];
	uint64_t us = f->start_us != 0 ? f->start_us : f->end_us;

	(void)printf("%.19s  %-12s  %-21s -> %-21s %-4s", journal_time_print(us, when),
		     journal_text_print(f->device, device), endpoint_print(&f->src, f->src_port, src),
		     endpoint_print(&f->dst, f->dst_port, dst), f->proto != 0 ? proto_print(f->proto, proto) : "-");
	if (f->evidence == FLOW_EVIDENCE_AMBIGUOUS)
		(void)printf("  %s (one of %u)", journal_text_print(f->name, text), f->candidates);
	else
		(void)printf("  %s", journal_text_print(f->name, text));
	(void)printf("  %s", journal_text_print(f->rule, text));
	if (f->country[0] != '\0')
		(void)printf("  %.2s", f->country);
	if (f->as_number != 0)
		(void)printf("  AS%u %s", f->as_number, journal_text_print(f->as_org, text));
	traffic_print(f);
	(void)putchar('\n');
}

/* --- Which rows. --- */

static bool row_wanted(const struct flows_options *o, const struct row *row)
{
	const struct flow_record *f = &row->flow;
	char addr[IP_TEXT_MAX];

	if (row->kind == ROW_GAP)
		return !o->open && (row->end_us == 0 || row->end_us >= o->since_us);
	if (o->open && f->closed)
		return false;
	if (f->closed && f->end_us < o->since_us)
		return false;
	if (o->device != NULL && !journal_text_equal(f->device, o->device) &&
	    strcmp(journal_addr_print(&f->src, addr), o->device) != 0)
		return false;
	if (o->name != NULL && !journal_name_below(f->name, o->name))
		return false;
	return o->rule == NULL || journal_text_equal(f->rule, o->rule);
}

static void row_show(const struct flows_options *o, const struct row *row)
{
	cJSON *j;

	if (!row_wanted(o, row))
		return;
	if (!o->json) {
		if (row->kind == ROW_FLOW)
			flow_print(&row->flow);
		else
			journal_gap_print(row);
		return;
	}
	j = cJSON_CreateObject();
	if (row->kind == ROW_FLOW)
		add_flow(j, &row->flow);
	else
		journal_add_gap(j, row);
	journal_json_print(j);
}

static int rows_show(const struct flows_options *o, int dir, struct err *e)
{
	CLEANUP(rows_freep) struct rows *rows = NULL;
	CLEANUP(journal_unsealer_done) struct journal_unsealer unsealer = { 0 };
	struct rows_options ro = { .dir_fd = dir, .opens = o->follow };
	struct row row;
	int r = 0;

	if (o->key != NULL) {
		r = journal_key_read(o->key, &unsealer, e);
		ro.unsealer = &unsealer;
	}
	if (r == 0)
		r = rows_new(&ro, &rows, e);
	while (r == 0) {
		while ((r = rows_next(rows, &row, e)) == 1)
			row_show(o, &row);
		if (r < 0 || !o->follow)
			break;
		(void)fflush(stdout);
		(void)usleep(JOURNAL_FOLLOW_US);
	}
	while (r == 0 && rows_next_open(rows, &row))
		row_show(o, &row);
	if (r == 0 && rows_sealed(rows) != 0)
		r = err_set(e, -EPERM, "%llu records are sealed; --key FILE opens them",
			    (unsigned long long)rows_sealed(rows));
	if (r == 0 && rows_damaged(rows) != 0)
		r = err_set(e, -EBADMSG, "the journal is damaged in %llu places; see --verify",
			    (unsigned long long)rows_damaged(rows));
	return r;
}

/* --- Verification. --- */

static const char *damage_text(enum journal_item_kind kind)
{
	switch (kind) {
	case JOURNAL_ITEM_ALTERED:
		return "altered, or a record before it is missing or moved";
	case JOURNAL_ITEM_BROKEN:
		return "no record; nothing after it in this segment can be read";
	case JOURNAL_ITEM_UNCHAINED:
		return "the segment does not follow from the one before it";
	case JOURNAL_ITEM_RECORD:
	case JOURNAL_ITEM_SEGMENT_END:
		break;
	}
	return "intact";
}

static void damage_show(const struct flows_options *o, const struct journal_item *item)
{
	cJSON *j;

	if (!o->json) {
		(void)printf("%06u.jnl: record %llu at byte %llu: %s\n", item->segment,
			     (unsigned long long)item->number, (unsigned long long)item->offset,
			     damage_text(item->kind));
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddNumberToObject(j, "segment", item->segment);
	cJSON_AddNumberToObject(j, "record", (double)item->number);
	cJSON_AddNumberToObject(j, "offset", (double)item->offset);
	cJSON_AddStringToObject(j, "state", "damaged");
	cJSON_AddStringToObject(j, "reason", damage_text(item->kind));
	journal_json_print(j);
}

static void segment_show(const struct flows_options *o, uint32_t segment, uint64_t records, uint64_t damaged,
			 uint64_t torn)
{
	const char *state = damaged != 0 ? "damaged" : torn != 0 ? "torn" : "intact";
	cJSON *j;

	if (!o->json) {
		(void)printf("%06u.jnl: %s %llu records", segment, state, (unsigned long long)records);
		if (torn != 0)
			(void)printf(", then %llu bytes of a record that was cut short", (unsigned long long)torn);
		(void)putchar('\n');
		return;
	}
	j = cJSON_CreateObject();
	cJSON_AddNumberToObject(j, "segment", segment);
	cJSON_AddStringToObject(j, "state", state);
	cJSON_AddNumberToObject(j, "records", (double)records);
	cJSON_AddNumberToObject(j, "torn_bytes", (double)torn);
	journal_json_print(j);
}

static int journal_verify(const struct flows_options *o, int dir, struct err *e)
{
	CLEANUP(journal_reader_freep) struct journal_reader *reader = NULL;
	struct journal_position at = { 0 };
	struct journal_item item;
	uint64_t damaged = 0, total = 0;
	int r = journal_reader_new(dir, /* first= */ 0, &reader, e);

	for (int looks = 0; r == 0 && looks < TORN_LOOKS; looks++) {
		while ((r = journal_reader_next(reader, &item, e)) == 1) {
			if (item.kind == JOURNAL_ITEM_SEGMENT_END) {
				segment_show(o, item.segment, item.number, damaged, /* torn= */ 0);
				damaged = 0;
			} else if (item.kind != JOURNAL_ITEM_RECORD) {
				damage_show(o, &item);
				damaged++;
				total++;
			}
		}
		journal_reader_position(reader, &at);
		if (at.torn == 0)
			break;
		(void)usleep(JOURNAL_FOLLOW_US / TORN_LOOKS);
	}
	if (r != 0)
		return r;
	if (at.segment != 0)
		segment_show(o, at.segment, at.records, damaged, at.torn);
	if (total != 0 || at.torn != 0)
		return err_set(e, -EBADMSG, "the journal is not intact");
	return 0;
}

int cmd_flows(int argc, char **argv)
{
	struct flows_options o = { 0 };
	CLEANUP(fd_closep) int dir = -1;
	char place[PATH_MAX];
	struct err e = { 0 };
	int r = options_parse(argc, argv, &o);

	if (r != 0) {
		(void)fputs(help, r > 0 ? stdout : stderr);
		return r > 0 ? CLI_OK : CLI_USAGE;
	}
	if (sodium_init() < 0)
		return CLI_BAD_INPUT;
	if (o.journal == NULL && journal_find(o.config, place, sizeof(place), &o.journal) < 0)
		return CLI_BAD_INPUT;
	dir = open(o.journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		r = err_set(&e, -errno, "%s: %s", o.journal, strerror(errno));
	else
		r = o.verify ? journal_verify(&o, dir, &e) : rows_show(&o, dir, &e);
	if (fflush(stdout) != 0)
		r = err_set(&e, -EIO, "writing the rows: %s", strerror(errno));
	if (r != 0)
		(void)fprintf(stderr, "sluice flows: %s\n", e.msg);
	return r == 0 ? CLI_OK : CLI_BAD_INPUT;
}
