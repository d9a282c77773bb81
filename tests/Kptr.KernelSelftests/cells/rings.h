// The user's end of ring buffers.
#include <sys/mman.h>

enum { PAGE_BYTES = 4096, RING_BYTES = 4096, RING_HEADER_BYTES = 8, MAP_TYPE_USER_RINGBUF = 31 };

static volatile unsigned long *ring_consumer, *ring_producer;
static unsigned char *ring_data;

// Kind 1 is read by user space, 2 is written by it.
static void map_ring(int fd, int kind)
{
    if (!kind)
        return;
    int ends = PROT_READ | PROT_WRITE;
    ring_consumer = mmap(0, PAGE_BYTES, kind == 1 ? ends : PROT_READ, MAP_SHARED, fd, 0);
    ring_producer = mmap(0, PAGE_BYTES + 2 * RING_BYTES, kind == 2 ? ends : PROT_READ, MAP_SHARED, fd, PAGE_BYTES);
    if (ring_consumer == MAP_FAILED || ring_producer == MAP_FAILED)
        printf("NOTE the ring cannot be mapped: %d\n", errno);
    ring_data = (unsigned char *)ring_producer + PAGE_BYTES;
}

static void unmap_ring(void)
{
    if (!ring_data)
        return;
    munmap((void *)ring_consumer, PAGE_BYTES);
    munmap((void *)ring_producer, PAGE_BYTES + 2 * RING_BYTES);
    ring_data = NULL;
}

static unsigned long ring_total(unsigned length)
{
    return (RING_HEADER_BYTES + length + 7ul) / 8 * 8;
}

// The length of the oldest record, which is taken out, as are those before it that were discarded; -1 for none.
static int read_ring(unsigned char *to)
{
    enum { BUSY = 1u << 31, DISCARDED = 1u << 30 };
    while (*ring_consumer < *ring_producer) {
        unsigned char *record = ring_data + (*ring_consumer & (RING_BYTES - 1));
        unsigned header;
        memcpy(&header, record, sizeof header);
        if (header & BUSY)
            return -1;
        unsigned length = header & ~DISCARDED;
        memcpy(to, record + RING_HEADER_BYTES, length);
        *ring_consumer += ring_total(length);
        if (!(header & DISCARDED))
            return length;
    }
    return -1;
}

static int post_ring(const unsigned char *from, unsigned length)
{
    unsigned long total = ring_total(length);
    if (total > RING_BYTES)
        return E2BIG;
    if (*ring_producer - *ring_consumer + total > RING_BYTES)
        return ENOSPC;
    unsigned char *record = ring_data + (*ring_producer & (RING_BYTES - 1));
    unsigned header[2] = { length };
    memcpy(record, header, sizeof header);
    memcpy(record + RING_HEADER_BYTES, from, length);
    __sync_synchronize();
    *ring_producer += total;
    return 0;
}
