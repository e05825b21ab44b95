/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What comes is foreign, and goes into a file that others parse: here it is only counted and hashed. Only http and
 * https; what was asked for over https is never followed to http, where anybody on the way could answer.
 *
 * A list's publisher must not make the gateway ask its own network: where the first server had a public address, a
 * redirect (or a name that changes its address) to a private one is refused at the moment of connecting. */
#include "fetch/transfer.h"

#include <netinet/in.h>
#include <strings.h>

bool transfer_is_page(const char *head, size_t len)
{
	static const char *const begins[] = { "<!doctype", "<html", "<?xml", "<head", "<body" };
	size_t at = 0;

	if (len >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < len && (head[at] == ' ' || head[at] == '\t' || head[at] == '\r' || head[at] == '\n'))
		at++;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		size_t n = strlen(begins[i]);

		if (len - at >= n && strncasecmp(head + at, begins[i], n) == 0)
			return true;
	}
	return false;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len != 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static long http_code(const struct transfer *t)
{
	long code = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code);
	return code;
}

/* Of bytes that are decoded already: a small file that unpacks to a large one ends here. Anything but @len breaks off.
 */
static size_t on_body(char *data, size_t size, size_t len, void *arg)
{
	struct transfer *t = arg;
	size_t head = FETCH_HEAD_MAX - t->head_len;
	int r;

	/* What comes with an error is a page for people. */
	if (http_code(t) != 200)
		return 0;
	if (len > t->want.size_max - t->result.bytes) {
		(void)snprintf(t->why, sizeof(t->why), "larger than %llu bytes", (unsigned long long)t->want.size_max);
		return 0;
	}
	r = write_all(t->fd, data, len);
	if (r < 0) {
		(void)snprintf(t->why, sizeof(t->why), "cannot be written: %s", strerror(-r));
		return 0;
	}
	head = len < head ? len : head;
	memcpy(t->head + t->head_len, data, head);
	t->head_len += (uint32_t)head;
	(void)crypto_hash_sha256_update(&t->hash, (const unsigned char *)data, len);
	t->result.bytes += len;
	return len;
}

static struct ip_addr addr_of(const struct sockaddr *sa)
{
	const void *any = sa;

	if (sa->sa_family == AF_INET)
		return ip_addr_from_bytes((const uint8_t *)&((const struct sockaddr_in *)any)->sin_addr, 4);
	if (sa->sa_family == AF_INET6)
		return ip_addr_from_bytes((const uint8_t *)&((const struct sockaddr_in6 *)any)->sin6_addr, 16);
	return (struct ip_addr){ 0 };
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = arg;
	struct ip_addr a = addr_of(&to->addr);
	bool is_private = ip_addr_private(&a);
	char text[IP_TEXT_MAX];

	if (!t->connected)
		t->public_first = !is_private;
	t->connected = true;
	if (t->public_first && is_private) {
		(void)snprintf(t->why, sizeof(t->why), "leads to %s, which is no public address",
			       ip_addr_print(&a, text));
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int add_header(struct transfer *t, const char *name, const char *value)
{
	char line[FETCH_ETAG_MAX + 32];
	struct curl_slist *list;

	if (value[0] == '\0')
		return 0;
	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	list = curl_slist_append(t->headers, line);
	if (list == NULL)
		return -ENOMEM;
	t->headers = list;
	return 0;
}

#define SET(option, value) (ok = ok && curl_easy_setopt(t->easy, option, value) == CURLE_OK)

static bool set_limits(struct transfer *t, const char *ca_file)
{
	bool https = strncasecmp(t->want.url, "https:", 6) == 0;
	bool ok = true;

	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, FETCH_REDIRECTS_MAX);
	SET(CURLOPT_CONNECTTIMEOUT, FETCH_CONNECT_S);
	SET(CURLOPT_TIMEOUT, FETCH_TOTAL_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, FETCH_SLOW_BYTES);
	SET(CURLOPT_LOW_SPEED_TIME, FETCH_SLOW_S);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->want.size_max);
	SET(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	/* One file, which Landlock lets be read: not a folder. */
	SET(CURLOPT_CAINFO, ca_file);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Each makes its own connections: on_socket() sees them all. */
	SET(CURLOPT_FORBID_REUSE, 1L);
	return ok;
}

int transfer_begin(struct transfer *t, const char *ca_file, struct err *e)
{
	bool ok;

	t->result = (struct msg_fetch_result){ .id = t->want.id, .status = FETCH_FAILED };
	(void)crypto_hash_sha256_init(&t->hash);
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		return err_set(e, -ENOMEM, "out of memory");
	ok = set_limits(t, ca_file);
	ok = ok && add_header(t, "If-None-Match", t->want.etag) == 0;
	ok = ok && add_header(t, "If-Modified-Since", t->want.modified) == 0;
	SET(CURLOPT_URL, t->want.url);
	SET(CURLOPT_HTTPHEADER, t->headers);
	SET(CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_ERRORBUFFER, t->curl_error);
	SET(CURLOPT_PRIVATE, t);
	return ok ? 0 : err_set(e, -EINVAL, "curl does not take the settings");
}

/* Of the last answer; "" when it has none, or one that does not fit or would not do as a header of ours. */
static void keep_header(struct transfer *t, const char *name, char *ret, size_t len)
{
	struct curl_header *h;

	if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK || strlen(h->value) >= len)
		return;
	for (const char *c = h->value; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			return;
	}
	(void)snprintf(ret, len, "%s", h->value);
}

static void say(struct transfer *t, const char *text)
{
	(void)snprintf(t->result.text, sizeof(t->result.text), "%.*s", (int)sizeof(t->result.text) - 1, text);
}

static void say_failed(struct transfer *t, CURLcode code)
{
	char text[64];

	if (t->why[0] != '\0') {
		say(t, t->why);
	} else if (t->result.http != 0 && t->result.http != 200 && (t->result.http < 300 || t->result.http > 399)) {
		(void)snprintf(text, sizeof(text), "the server answers with HTTP code %u", t->result.http);
		say(t, text);
	} else if (code == CURLE_FILESIZE_EXCEEDED) {
		(void)snprintf(text, sizeof(text), "larger than %llu bytes", (unsigned long long)t->want.size_max);
		say(t, text);
	} else if (code != CURLE_OK) {
		say(t, t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(code));
	} else {
		(void)snprintf(text, sizeof(text), "the server answers with HTTP code %u", t->result.http);
		say(t, text);
	}
}

void transfer_end(struct transfer *t, CURLcode code)
{
	struct msg_fetch_result *r = &t->result;
	bool asked = t->want.etag[0] != '\0' || t->want.modified[0] != '\0';

	r->http = (uint32_t)http_code(t);
	(void)crypto_hash_sha256_final(&t->hash, r->sha256);
	keep_header(t, "ETag", r->etag, sizeof(r->etag));
	keep_header(t, "Last-Modified", r->modified, sizeof(r->modified));
	if (code == CURLE_OK && r->http == 304 && asked)
		r->status = FETCH_NOT_MODIFIED;
	else if (code != CURLE_OK || r->http != 200)
		say_failed(t, code);
	else if (r->bytes == 0)
		say(t, "it is empty");
	else if (transfer_is_page(t->head, t->head_len))
		say(t, "it is a web page and no list");
	else if (fsync(t->fd) == -1)
		say(t, strerror(errno));
	else
		r->status = FETCH_FETCHED;
	transfer_done(t);
}

void transfer_done(struct transfer *t)
{
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	t->easy = NULL;
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	fd_closep(&t->fd);
}
