/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface is the kernel's WireGuard where there is one, else wireguard-go's, which keeps running when gatewayd
 * ends. Peers are set by `wg syncconf`, which changes what differs and leaves the sessions of all others alone.
 *
 * Not every prefix of a device becomes a route: a device with the whole Internet as its approved route (an exit node)
 * would take this host's own traffic with it.
 *
 * Sources: wg(8), wireguard-go(1), RFC 7748 section 5 (clamping). */
#include "gatewayd/tunnel.h"

#include "base/ipc.h"
#include "gatewayd/rtnl.h"
#include "gatewayd/spawn.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>

#define KEY_BYTES	   32
#define PROGRAM_TIMEOUT_MS 10000 /* `wg` takes milliseconds, wireguard-go a tenth of a second */
/* Routes that tunnel_sync() may have made before: devices outside of the tunnel's own prefixes, and approved routes. */
#define ROUTES_MAX 4096u

static bool key_valid(const char *key)
{
	unsigned char bytes[KEY_BYTES];
	size_t len = 0;

	return key != NULL && strlen(key) == TUNNEL_KEY_TEXT &&
	       sodium_base642bin(bytes, sizeof(bytes), key, TUNNEL_KEY_TEXT, NULL, &len, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == KEY_BYTES;
}

static int key_read(int fd, const char *path, char ret[TUNNEL_KEY_TEXT + 1], struct err *e)
{
	ssize_t n = read(fd, ret, TUNNEL_KEY_TEXT);
	struct stat st;

	if (n < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	ret[n] = '\0';
	if (!key_valid(ret))
		return err_set(e, -EBADMSG, "%s: holds no WireGuard private key", path);
	if ((st.st_mode & 077) != 0)
		return err_set(e, -EPERM, "%s: may be read by others (mode %03o): chmod 600 it", path,
			       (unsigned int)st.st_mode & 0777);
	return 0;
}

static int key_make(const char *path, char ret[TUNNEL_KEY_TEXT + 1], struct err *e)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unsigned char key[KEY_BYTES];
	int r = 0;

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	randombytes_buf(key, sizeof(key));
	key[0] &= 248;
	key[31] = (unsigned char)((key[31] & 127) | 64);
	(void)sodium_bin2base64(ret, TUNNEL_KEY_TEXT + 1, key, sizeof(key), sodium_base64_VARIANT_ORIGINAL);
	sodium_memzero(key, sizeof(key));
	if (write(fd, ret, TUNNEL_KEY_TEXT) != TUNNEL_KEY_TEXT || write(fd, "\n", 1) != 1 || fsync(fd) < 0) {
		r = err_set(e, -EIO, "%s: cannot be written: %s", path, strerror(errno));
		(void)unlink(path);
	}
	return r;
}

int tunnel_key(const char *path, char ret[TUNNEL_KEY_TEXT + 1], struct err *e)
{
	CLEANUP(fd_closep) int fd = -1;

	if (path == NULL)
		return err_set(e, -EINVAL, "gateway: tunnel.privateKeyFile is missing");
	if (sodium_init() < 0)
		return err_set(e, -EIO, "libsodium does not start");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return key_read(fd, path, ret, e);
	if (errno != ENOENT)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	return key_make(path, ret, e);
}

/* Nothing goes to the networks behind a device in quarantine either: it would answer. */
static uint32_t n_routes(const struct plan_device *d)
{
	return d->state == DEVICE_ACTIVE ? d->n_routes : 0;
}

static void print_peer(const struct plan_device *d, FILE *out)
{
	const char *separator = "";
	char text[IP_TEXT_MAX];

	(void)fprintf(out, "\n[Peer]\nPublicKey = %s\nAllowedIPs = ", d->key);
	for (uint32_t i = 0; i < d->n_addrs; i++) {
		(void)fprintf(out, "%s%s/%u", separator, ip_addr_print(&d->addrs[i], text),
			      ip_addr_len(&d->addrs[i]) * 8u);
		separator = ", ";
	}
	for (uint32_t i = 0; i < n_routes(d); i++) {
		if (d->routes[i].len == 0)
			continue;
		(void)fprintf(out, "%s%s", separator, ip_prefix_print(&d->routes[i], text));
		separator = ", ";
	}
	(void)fprintf(out, "\n");
}

/* Those that wait for approval and those whose time is up have no business in the tunnel at all. */
static bool is_peer(const struct plan_device *d)
{
	return d->state == DEVICE_ACTIVE || d->state == DEVICE_QUARANTINED;
}

int tunnel_config(const struct doc_tunnel *t, const struct plan *p, const char *key, char **ret, uint32_t *ret_skipped,
		  struct err *e)
{
	uint32_t skipped = 0;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int failed;

	if (out == NULL)
		return err_set(e, -ENOMEM, "tunnel: out of memory");
	(void)fprintf(out, "[Interface]\nPrivateKey = %s\nListenPort = %u\n", key, t->listen_port);
	for (uint32_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];

		/* The host's own programs have no way to go. */
		if (!is_peer(d) || (d->n_addrs != 0 && ip_addr_is_loopback(&d->addrs[0])))
			continue;
		/* Checked again though the document was: a key with a line break would be a line of its own. */
		if (key_valid(d->key))
			print_peer(d, out);
		else
			skipped++;
	}
	failed = ferror(out);
	if (fclose(out) != 0 || failed != 0) {
		free(text);
		return err_set(e, -ENOMEM, "tunnel: out of memory");
	}
	if (ret_skipped != NULL)
		*ret_skipped = skipped;
	*ret = text;
	return 0;
}

static int interface_make(const struct doc_tunnel *t, struct err *e)
{
	char program[] = "wireguard-go", name[64];
	char *argv[] = { program, name, NULL };
	int r = rtnl_link_create(t->interface, "wireguard", e);

	if (r == -EEXIST)
		return 0;
	if (r != -EOPNOTSUPP)
		return r;
	(void)snprintf(name, sizeof(name), "%s", t->interface);
	r = spawn_wait(argv, -1, PROGRAM_TIMEOUT_MS, e);
	if (r == -ENOENT)
		return err_set(e, r, "the kernel has no WireGuard, and wireguard-go is not installed");
	return r;
}

int tunnel_open(const struct doc_tunnel *t, struct err *e)
{
	uint32_t index = rtnl_link_index(t->interface);
	int r = 0;

	if (t->existing)
		return index != 0 ? 0 : err_set(e, -ENODEV, "tunnel interface %s is not there yet", t->interface);
	if (index == 0) {
		r = interface_make(t, e);
		if (r < 0)
			return err_wrap(e, "tunnel %s", t->interface);
		index = rtnl_link_index(t->interface);
	}
	if (index == 0)
		return err_set(e, -ENODEV, "tunnel %s: made, but not there", t->interface);
	for (uint32_t i = 0; i < t->n_addresses && r == 0; i++)
		r = rtnl_addr_add(index, &t->addresses[i], e);
	if (r == 0)
		r = rtnl_link_up(index, t->mtu, e);
	return r < 0 ? err_wrap(e, "tunnel %s", t->interface) : 0;
}

static void wipe_freep(char **text)
{
	if (*text != NULL)
		sodium_memzero(*text, strlen(*text));
	free(*text);
}

static int peers_sync(const struct doc_tunnel *t, const struct plan *p, uint32_t *ret_skipped, struct err *e)
{
	CLEANUP(wipe_freep) char *text = NULL;
	CLEANUP(fd_closep) int fd = -1;
	char program[] = "wg", verb[] = "syncconf", name[64], path[32], key[TUNNEL_KEY_TEXT + 1];
	char *argv[] = { program, verb, name, path, NULL };
	int r = tunnel_key(t->private_key_file, key, e);

	if (r == 0)
		r = tunnel_config(t, p, key, &text, ret_skipped, e);
	sodium_memzero(key, sizeof(key));
	if (r < 0)
		return r;
	assert(text != NULL);
	r = memfd_sealed("wg", text, strlen(text), &fd, e);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%s", t->interface);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	return spawn_wait(argv, fd, PROGRAM_TIMEOUT_MS, e);
}

static bool covered(const struct doc_tunnel *t, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < t->n_addresses; i++) {
		/* Host bits are kept in these: not for ip_prefix_contains(). */
		struct ip_range own = ip_prefix_range(&t->addresses[i]);

		if (p->len >= t->addresses[i].len && ip_range_contains(&own, &p->addr))
			return true;
	}
	return false;
}

static bool contains(const struct ip_prefix *list, uint32_t n, const struct ip_prefix *p)
{
	for (uint32_t i = 0; i < n; i++)
		if (list[i].len == p->len && ip_addr_cmp(&list[i].addr, &p->addr) == 0)
			return true;
	return false;
}

static int want_route(const struct doc_tunnel *t, const struct ip_prefix *p, struct ip_prefix *list, uint32_t *n)
{
	if (p->len == 0 || covered(t, p) || contains(list, *n, p))
		return 0;
	if (*n == ROUTES_MAX)
		return -E2BIG;
	list[(*n)++] = *p;
	return 0;
}

/* Nor does anybody without a key come through it: a client on the LAN is reached there, the host's own programs here.
 */
static bool is_behind(const struct plan_device *d)
{
	return is_peer(d) && d->key != NULL;
}

static int wanted_routes(const struct doc_tunnel *t, const struct plan *p, struct ip_prefix *list, uint32_t *n)
{
	int r = 0;

	for (uint32_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];

		for (uint32_t k = 0; is_behind(d) && k < d->n_addrs && r == 0; k++) {
			struct ip_prefix host = { .addr = d->addrs[k],
						  .len = (uint8_t)(ip_addr_len(&d->addrs[k]) * 8) };

			r = want_route(t, &host, list, n);
		}
		for (uint32_t k = 0; is_behind(d) && k < n_routes(d) && r == 0; k++)
			r = want_route(t, &d->routes[k], list, n);
	}
	return r;
}

static int routes_sync(const struct doc_tunnel *t, const struct plan *p, struct err *e)
{
	CLEANUP(freep) struct ip_prefix *want = calloc(ROUTES_MAX, sizeof(*want));
	CLEANUP(freep) struct ip_prefix *have = calloc(ROUTES_MAX, sizeof(*have));
	uint32_t index = rtnl_link_index(t->interface);
	uint32_t n_want = 0, n_have = 0;
	int r = want != NULL && have != NULL ? 0 : err_set(e, -ENOMEM, "tunnel: out of memory");

	if (r == 0 && wanted_routes(t, p, want, &n_want) < 0)
		r = err_set(e, -E2BIG, "more than %u routes into the tunnel", ROUTES_MAX);
	if (r == 0)
		r = rtnl_routes(index, have, ROUTES_MAX, &n_have, e);
	for (uint32_t i = 0; i < n_have && r == 0; i++)
		if (!contains(want, n_want, &have[i]))
			r = rtnl_route_delete(index, &have[i], e);
	for (uint32_t i = 0; i < n_want && r == 0; i++)
		if (!contains(have, n_have, &want[i]))
			r = rtnl_route_add(index, &want[i], e);
	return r;
}

int tunnel_sync(const struct doc_tunnel *t, const struct plan *p, uint32_t *ret_skipped, struct err *e)
{
	int r;

	if (ret_skipped != NULL)
		*ret_skipped = 0;
	if (t->existing)
		return 0;
	/* wireguard-go was killed, or somebody has deleted the interface. */
	r = rtnl_link_index(t->interface) == 0 ? tunnel_open(t, e) : 0;
	if (r == 0)
		r = peers_sync(t, p, ret_skipped, e);
	if (r == 0)
		r = routes_sync(t, p, e);
	return r < 0 ? err_wrap(e, "tunnel %s", t->interface) : 0;
}

int tunnel_remove(const struct doc_tunnel *t, struct err *e)
{
	uint32_t index = rtnl_link_index(t->interface);

	/* wireguard-go ends when its interface goes. */
	return t->existing || index == 0 ? 0 : rtnl_link_delete(index, e);
}
