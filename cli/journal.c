/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/journal.h"

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/control.h"

#include <fcntl.h>

#define KEY_FILE_MAX 256

int journal_time_parse(const char *text, uint64_t *ret)
{
	struct tm tm = { 0 };
	char *end = NULL;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	unsigned long long n;
	uint64_t unit_s;

	if (rest != NULL && *rest == '\0') {
		*ret = (uint64_t)timegm(&tm) * 1000000u;
		return 0;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno != 0 || n > UINT64_MAX / 86400 / 1000000)
		return -EINVAL;
	if (*end == '\0') {
		*ret = n * 1000000u;
		return 0;
	}
	unit_s = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 0;
	if (unit_s == 0 || end[1] != '\0')
		return -EINVAL;
	*ret = clock_realtime_us() > n * unit_s * 1000000u ? clock_realtime_us() - n * unit_s * 1000000u : 0;
	return 0;
}

const char *journal_time_print(uint64_t us, char buf[JOURNAL_TIME_MAX])
{
	time_t s = (time_t)(us / 1000000u);
	char day[JOURNAL_TIME_MAX / 2];
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return "-";
	(void)snprintf(buf, JOURNAL_TIME_MAX, "%s.%06uZ", day, (unsigned)(us % 1000000u));
	return buf;
}

const char *journal_addr_print(const struct ip_addr *a, char buf[IP_TEXT_MAX])
{
	if (a->family == FLOW_ADDR_PSEUDONYM)
		(void)snprintf(buf, IP_TEXT_MAX, "p-%02x%02x%02x%02x%02x%02x%02x%02x", a->bytes[0], a->bytes[1],
			       a->bytes[2], a->bytes[3], a->bytes[4], a->bytes[5], a->bytes[6], a->bytes[7]);
	else if (a->family != IP_NONE)
		(void)ip_addr_print(a, buf);
	else
		(void)snprintf(buf, IP_TEXT_MAX, "-");
	return buf;
}

/* Terminated; bytes that a terminal would act upon become '?'. */
const char *journal_text_print(struct flow_text t, char buf[FLOW_TEXT_MAX + 1])
{
	for (uint16_t i = 0; i < t.len; i++) {
		buf[i] = t.at[i];
		if ((uint8_t)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
	}
	buf[t.len] = '\0';
	return t.len != 0 ? buf : "-";
}

void journal_add_text(cJSON *j, const char *name, struct flow_text t)
{
	char buf[FLOW_TEXT_MAX + 1];

	if (t.len != 0)
		cJSON_AddStringToObject(j, name, journal_text_print(t, buf));
	else
		cJSON_AddNullToObject(j, name);
}

void journal_add_time(cJSON *j, const char *name, uint64_t us)
{
	char buf[JOURNAL_TIME_MAX];

	if (us != 0)
		cJSON_AddStringToObject(j, name, journal_time_print(us, buf));
	else
		cJSON_AddNullToObject(j, name);
}

void journal_add_gap(cJSON *j, const struct row *row)
{
	journal_add_time(j, "start", row->start_us);
	journal_add_time(j, "end", row->end_us);
	cJSON_AddStringToObject(j, "reason", row_gap_name(row->gap));
	cJSON_AddNumberToObject(j, "count", (double)row->count);
	if (row->segment != 0) {
		cJSON_AddNumberToObject(j, "segment", row->segment);
		cJSON_AddNumberToObject(j, "record", (double)row->number);
	}
	cJSON_AddStringToObject(j, "state", "gap");
}

void journal_json_print(cJSON *j)
{
	char *text = j != NULL ? cJSON_PrintUnformatted(j) : NULL;

	if (text != NULL)
		(void)puts(text);
	cJSON_free(text);
	cJSON_Delete(j);
}

void journal_gap_print(const struct row *row)
{
	char start[JOURNAL_TIME_MAX], end[JOURNAL_TIME_MAX];

	if (row->segment != 0) {
		(void)printf("gap: %s, segment %06u record %llu\n", row_gap_name(row->gap), row->segment,
			     (unsigned long long)row->number);
		return;
	}
	(void)printf("%.19s  gap: %s until %.19s", journal_time_print(row->start_us, start), row_gap_name(row->gap),
		     journal_time_print(row->end_us, end));
	if (row->count != 0)
		(void)printf(" (%llu%s)", (unsigned long long)row->count, row->gap == ROW_GAP_TORN ? " bytes" : "");
	(void)putchar('\n');
}

bool journal_text_equal(struct flow_text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.at, s, t.len) == 0;
}

bool journal_name_below(struct flow_text t, const char *name)
{
	size_t len = strlen(name);

	if (t.len < len || strncasecmp(t.at + t.len - len, name, len) != 0)
		return false;
	return t.len == len || t.at[t.len - len - 1] == '.';
}

int journal_key_read(const char *path, struct journal_unsealer *u, struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t key[crypto_box_SECRETKEYBYTES];
	char text[KEY_FILE_MAX] = { 0 };
	int r = -EINVAL;

	if (fd == -1 || read(fd, text, sizeof(text) - 1) == -1)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	if (journal_key_parse(text, key) == 0)
		r = journal_unsealer_init(u, key);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(key, sizeof(key));
	return r == 0 ? 0 : err_set(e, r, "%s: no private key in hex or base64", path);
}

int journal_find(const char *config, char *buf, size_t room, const char **ret)
{
	struct cli_gateway g;
	bool named = config != NULL || getenv("SLUICE_CONFIG") != NULL;

	*ret = JOURNAL_DIR_DEFAULT;
	if (!named && access(CLI_CONFIG_DEFAULT, R_OK) == -1)
		return 0;
	if (cli_gateway_load(config, &g) < 0)
		return -EINVAL;
	(void)snprintf(buf, room, "%s/journal", g.doc->state_dir);
	cli_gateway_done(&g);
	*ret = buf;
	return 0;
}
