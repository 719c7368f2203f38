/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net's hash: known values, what is hashed of which frame, and the commands about it. */
#include "card.h"

#include "net/prot.h"

#define FEATURES (V1 | BIT(CTRL_VQ) | BIT(MQ) | BIT(RSS) | BIT(HASH_REPORT))
#define OK	 VIRTIO_NET_OK
#define ERR	 VIRTIO_NET_ERR
#define T4	 VIRTIO_NET_RSS_HASH_TYPE_TCPv4
#define U4	 VIRTIO_NET_RSS_HASH_TYPE_UDPv4
#define I4	 VIRTIO_NET_RSS_HASH_TYPE_IPv4
#define T6	 VIRTIO_NET_RSS_HASH_TYPE_TCPv6
#define U6	 VIRTIO_NET_RSS_HASH_TYPE_UDPv6
#define I6	 VIRTIO_NET_RSS_HASH_TYPE_IPv6

/* Key and values of the verification suite that comes with the definition of RSS. */
static const uint8_t key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const uint8_t src4[4] = {66, 9, 149, 187}, dst4[4] = {161, 142, 100, 80};
static const uint8_t src6[16] = {0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0x1f, 0xff, [15] = 7};
static const uint8_t dst6[16] = {0x3f, 0xfe, 0x25, 0x01, 0x02, 0, 0, 3, [15] = 1};

#define IP4_VALUE  0x323e8fc2
#define IP4_PORTS  0x51ccc178
#define IP6_VALUE  0x2cc18cd5
#define IP6_PORTS  0x40207d3d
#define FRAME_SIZE 200

static void frame4(uint8_t *b, uint8_t proto, uint16_t frag, unsigned options)
{
	memset(b, 0, FRAME_SIZE);
	memset(b, 0xff, 6);
	put_be16(b + 12, ETH_IP4);
	b[14] = (uint8_t)(0x45 + options);
	put_be16(b + 20, frag);
	b[23] = proto;
	memcpy(b + 26, src4, 4);
	memcpy(b + 30, dst4, 4);
	put_be16(b + 34 + 4 * options, 2794);
	put_be16(b + 36 + 4 * options, 1766);
}

/* exts: extension headers of 8 bytes each, of this type, before proto. */
static void frame6(uint8_t *b, uint8_t proto, uint8_t type, unsigned exts)
{
	uint8_t *at = b + 54;

	memset(b, 0, FRAME_SIZE);
	memset(b, 0xff, 6);
	put_be16(b + 12, ETH_IP6);
	b[14] = 0x60;
	b[20] = exts ? type : proto;
	memcpy(b + 22, src6, 16);
	memcpy(b + 38, dst6, 16);
	for (; exts; exts--, at += 8)
		at[0] = exts > 1 ? type : proto;
	put_be16(at, 2794);
	put_be16(at + 2, 1766);
}

static struct vnet_hash hash(const struct vnet_rss *s, uint8_t *b, unsigned len)
{
	struct iovec vec[4] = {{0}, {b, 13}, {b + 13, 20}, {b + 33, len - 33}};
	const struct net_frame f = {.vec = vec, .nvec = 4, .len = len};

	return vnet_hash(s, &f);
}

static void values(void **state)
{
	static struct vnet_rss s;
	uint8_t b[FRAME_SIZE];
	struct vnet_hash h;

	(void)state;
#define IS(types_, report_, value_)                                                                \
	do {                                                                                       \
		s.types = (types_);                                                                \
		h = hash(&s, b, FRAME_SIZE);                                                       \
		assert_int_equal(h.report, VIRTIO_NET_HASH_REPORT_##report_);                      \
		assert_int_equal(h.value, (value_));                                               \
	} while (0)
	vnet_rss_key(&s, key, sizeof(key));
	frame4(b, IP_TCP, IP4_DF, 0);
	IS(T4 | U4 | I4 | I6, TCPv4, IP4_PORTS);
	IS(U4 | I4, IPv4, IP4_VALUE);
	IS(U4 | T6 | I6, NONE, 0);
	IS(0, NONE, 0);
	frame4(b, IP_UDP, 0, 10);
	IS(T4 | U4 | I4, UDPv4, IP4_PORTS);
	IS(T4 | I4, IPv4, IP4_VALUE);
	/* A fragment, first or later, has no ports. */
	frame4(b, IP_TCP, IP4_MF, 0);
	IS(T4 | I4, IPv4, IP4_VALUE);
	frame4(b, IP_TCP, 5, 0);
	IS(T4 | I4, IPv4, IP4_VALUE);
	IS(T4, NONE, 0);
	frame4(b, IP_ICMP, 0, 0);
	IS(T4 | U4 | I4, IPv4, IP4_VALUE);
	frame6(b, IP_TCP, 0, 0);
	IS(T6 | I6, TCPv6, IP6_PORTS);
	IS(T4 | I6, IPv6, IP6_VALUE);
	frame6(b, IP_UDP, 60, 3);
	IS(T6 | U6 | I6, UDPv6, IP6_PORTS);
	frame6(b, IP_TCP, 44, 1);
	IS(T6 | I6, TCPv6, IP6_PORTS);
	put_be16(b + 56, 1);
	IS(T6 | I6, IPv6, IP6_VALUE);
	/* More headers than anybody needs. */
	frame6(b, IP_TCP, 60, 12);
	IS(T6 | I6, IPv6, IP6_VALUE);
	/* Behind VLAN tags. */
	frame4(b, IP_TCP, 0, 0);
	memmove(b + 20, b + 12, 100);
	put_be16(b + 12, 0x88a8);
	put_be16(b + 16, 0x8100);
	IS(T4 | I4, TCPv4, IP4_PORTS);
	put_be16(b + 12, ETH_ARP);
	IS(T4 | I4, NONE, 0);
#undef IS
}

/* Cut anywhere: never more than there is is read (sanitizers look on). */
static void cut_frames(void **state)
{
	static struct vnet_rss s = {.types = VNET_HASH_TYPES};
	uint8_t b[FRAME_SIZE];

	(void)state;
	vnet_rss_key(&s, key, sizeof(key));
	for (unsigned len = 34; len < 100; len++) {
		uint8_t *exact = malloc(len);

		frame6(b, IP_TCP, 60, 3);
		memcpy(exact, b, len);
		assert_int_equal(hash(&s, exact, len).report,
				 len < 54   ? VIRTIO_NET_HASH_REPORT_NONE
				 : len < 82 ? VIRTIO_NET_HASH_REPORT_IPv6
					    : VIRTIO_NET_HASH_REPORT_TCPv6);
		frame4(b, IP_TCP, 0, 5);
		memcpy(exact, b, len);
		assert_int_equal(hash(&s, exact, len).report,
				 len < 58 ? VIRTIO_NET_HASH_REPORT_IPv4
					  : VIRTIO_NET_HASH_REPORT_TCPv4);
		free(exact);
	}
}

/* --- commands ------------------------------------------------------------------------------- */

struct config {
	uint32_t types;
	uint16_t mask, other, tx;
	uint16_t table[256];
	uint8_t keylen;
	unsigned cut; /* bytes left out at the end */
};

static uint8_t rss(struct card *c, const struct config *k)
{
	uint8_t b[512] = {0};
	unsigned at = 8;

	put_le32(b, k->types);
	put_le16(b + 4, k->mask);
	put_le16(b + 6, k->other);
	for (unsigned i = 0; i <= MIN(k->mask, 200); i++, at += 2)
		put_le16(b + at, k->table[i]);
	put_le16(b + at, k->tx);
	b[at + 2] = k->keylen;
	memcpy(b + at + 3, key, MIN(k->keylen, 40));
	at += 3u + k->keylen - k->cut;
	return card_ctrl(c, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, b, at);
}

static const struct config good = {
	.types = VNET_HASH_TYPES, .mask = 1, .other = 0, .tx = 2, .table = {0, 1}, .keylen = 40};

static struct card *make(void)
{
	struct card *c;

	card_queues = 2;
	c = card_make("rss=on,mq=on,hash=on");
	assert_int_equal(c->nic->port.nqueues, 1);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 17, 1), 40);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 18, 2), 128);
	assert_int_equal(mod_read(&c->pc, c->pci, VIRTIO_OFF_DEVICE + 20, 4), 0x3f);
	return c;
}

static void configurations(void **state)
{
	struct card *c = make();
	struct config k = good;

	(void)state;
	card_up(c, FEATURES);
	assert_int_equal(rss(c, &good), OK);
	assert_true(c->vnet->rss.steer);
	assert_int_equal(c->nic->active, 2);
	assert_false(c->peer[0].port.peer_caps.lends);
#define BAD(field, value)                                                                          \
	do {                                                                                       \
		k = good;                                                                          \
		k.field = (value);                                                                 \
		assert_int_equal(rss(c, &k), ERR);                                                 \
	} while (0)
	BAD(types, 1u << 6);
	BAD(types, 1u << 31);
	BAD(mask, 2);
	BAD(mask, 255);
	BAD(mask, 0xffff);
	BAD(other, 2);
	BAD(other, 0xffff);
	BAD(table[1], 2);
	BAD(table[0], 0x8000);
	BAD(tx, 0);
	BAD(tx, 3);
	BAD(keylen, 41);
	BAD(keylen, 255);
	for (unsigned cut = 1; cut < 56; cut++)
		BAD(cut, cut);
#undef BAD
	/* None of them changed anything. */
	assert_int_equal(c->vnet->rss.mask, 1);
	assert_int_equal(c->vnet->rss.unclassified, 0);
	k = good;
	k.mask = 127;
	k.keylen = 0;
	k.tx = 1;
	assert_int_equal(rss(c, &k), OK);
	assert_int_equal(c->vnet->rss.mask, 127);
	assert_int_equal(c->nic->active, 1);
	/* Neither without its feature. */
	card_up(c, FEATURES & ~BIT(RSS) & ~BIT(HASH_REPORT));
	assert_false(c->vnet->rss.steer);
	assert_true(c->peer[0].port.peer_caps.lends);
	assert_int_equal(rss(c, &good), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 2, key, 13), ERR);
	card_free(c);
}

static void post_all(struct card *c)
{
	for (unsigned q = 0; q < 4; q += 2) {
		for (unsigned i = 0; i < 20; i++) {
			unsigned n = 10 + 20 * q + i;

			ring_desc(&c->r[q], i, card_gpa(n), 1526, VRING_DESC_F_WRITE, 0);
			ring_add(&c->r[q], (uint16_t)i);
		}
		card_kick(c, q);
	}
}

/* The peer sends b; returns the receive queue that it came by, 9: none; *head: its header. */
static unsigned arrives(struct card *c, uint8_t *b, const uint8_t **head)
{
	struct iovec vec[2] = {{0}, {b, FRAME_SIZE}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = FRAME_SIZE};
	uint32_t id, len;

	*head = b;
	assert_int_equal(card_push(c, &f, 1), 1);
	for (unsigned q = 0; q < 4; q += 2) {
		if (!ring_used(&c->r[q], &id, &len))
			continue;
		assert_int_equal(len, c->hdr_len + FRAME_SIZE);
		*head = card_buf(c, 10 + 20 * q + id);
		assert_memory_equal(*head + c->hdr_len, b, FRAME_SIZE);
		return q / 2;
	}
	return 9;
}

static void steering_and_report(void **state)
{
	struct card *c = make();
	struct config k = good;
	uint8_t b[FRAME_SIZE];
	const uint8_t *head;
	const uint16_t two = htole16(2);

	(void)state;
	card_up(c, FEATURES);
	post_all(c);
	/* Before it is told anything: the first queue, no hash. */
	frame6(b, IP_TCP, 0, 0);
	assert_int_equal(arrives(c, b, &head), 0);
	assert_int_equal(get_le32(head + 16), 0);
	assert_int_equal(rss(c, &good), OK);
	assert_int_equal(arrives(c, b, &head), IP6_PORTS & 1);
	assert_int_equal(get_le32(head + 12), IP6_PORTS);
	assert_int_equal(get_le16(head + 16), VIRTIO_NET_HASH_REPORT_TCPv6);
	assert_int_equal(get_le16(head + 18), 0);
	frame4(b, IP_TCP, 0, 0);
	assert_int_equal(arrives(c, b, &head), IP4_PORTS & 1);
	assert_int_equal(get_le32(head + 12), IP4_PORTS);
	/* The other way round; what has no hash goes to the queue that was named. */
	k.table[0] = 1;
	k.table[1] = 0;
	k.other = 1;
	assert_int_equal(rss(c, &k), OK);
	assert_int_equal(arrives(c, b, &head), !(IP4_PORTS & 1));
	put_be16(b + 12, ETH_ARP);
	assert_int_equal(arrives(c, b, &head), 1);
	assert_int_equal(get_le16(head + 16), VIRTIO_NET_HASH_REPORT_NONE);
	/* Back to what the wire says; the hash is still told. */
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 0, &two, 2), OK);
	assert_int_equal(arrives(c, b, &head), 0);
	frame4(b, IP_TCP, 0, 0);
	assert_int_equal(arrives(c, b, &head), 0);
	assert_int_equal(get_le32(head + 12), IP4_PORTS);
	/* A reset ends that. */
	card_up(c, FEATURES);
	post_all(c);
	assert_int_equal(arrives(c, b, &head), 0);
	assert_int_equal(get_le16(head + 16), VIRTIO_NET_HASH_REPORT_NONE);
	card_free(c);
}

/* One queue without buffers holds up the wire; a new table lets it go on. */
static void a_full_queue(void **state)
{
	struct card *c = make();
	struct config k = good;
	uint8_t b[FRAME_SIZE];
	const uint8_t *head;
	struct iovec vec[2] = {{0}, {b, FRAME_SIZE}};
	struct net_frame f = {.vec = vec, .nvec = 2, .len = FRAME_SIZE};
	unsigned resumes;

	(void)state;
	card_up(c, FEATURES);
	k.table[0] = k.table[1] = 1;
	assert_int_equal(rss(c, &k), OK);
	frame4(b, IP_TCP, 0, 0);
	assert_int_equal(card_push(c, &f, 1), 0);
	resumes = c->peer[0].resumes;
	k.table[0] = k.table[1] = 0;
	assert_int_equal(rss(c, &k), OK);
	pc_sync(c->loop[0]);
	assert_true(c->peer[0].resumes > resumes);
	post_all(c);
	assert_int_equal(arrives(c, b, &head), 0);
	card_free(c);
}

/* Hashes alone, lent buffers, one pair. */
static void report_only(void **state)
{
	uint8_t b[FRAME_SIZE], config[64] = {VNET_HASH_TYPES, [4] = 7, [12] = 40};
	struct card *c;
	const uint8_t *head;

	(void)state;
	card_queues = 1;
	c = card_make("hash=on");
	card_up(c, V1 | BIT(CTRL_VQ) | BIT(HASH_REPORT));
	for (unsigned i = 0; i < 20; i++) {
		ring_desc(&c->r[0], i, card_gpa(10 + i), 1526, VRING_DESC_F_WRITE, 0);
		ring_add(&c->r[0], (uint16_t)i);
	}
	memcpy(config + 13, key, 40);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 2, config, 52), ERR);
	assert_int_equal(card_ctrl(c, VIRTIO_NET_CTRL_MQ, 2, config, 53), OK);
	assert_true(c->peer[0].port.peer_caps.lends);
	frame4(b, IP_UDP, 0, 0);
	assert_int_equal(arrives(c, b, &head), 0);
	assert_int_equal(get_le32(head + 12), IP4_PORTS);
	assert_int_equal(get_le16(head + 16), VIRTIO_NET_HASH_REPORT_UDPv4);
	card_free(c);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(values),	 T(cut_frames),	 T(configurations), T(steering_and_report),
		T(a_full_queue), T(report_only),
	};
	int bad = cmocka_run_group_tests_name("virtio_net_rss", tests, NULL, NULL);

	card_packed = true;
	return bad + cmocka_run_group_tests_name("virtio_net_rss, packed", tests, NULL, NULL);
}
