<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

use WHMCS\Database\Capsule;

/**
 * The daily look at all services of a server: the size of each disk, the address, and the traffic of this month. How full a guest's file system is,
 * its dom0 does not know: `diskusage` is left alone.
 */
final class Usage
{
    /** Seconds for a server. What was not reached comes first the next day. */
    private const SECONDS = 120;
    private const PAGE = 200;

    /** @param array<mixed> $params */
    public static function update(array $params): void
    {
        $read = new Params($params);
        $server = $read->id('serverid');
        if ($server === 0) {
            throw new Failure('WHMCS sent no serverid');
        }
        $client = Call::clientOf($params, self::SECONDS);
        $names = self::names($client, Guests::shopOf($read));
        $services = Capsule::table('tblhosting')
            ->where('server', $server)
            ->whereIn('domainstatus', ['Active', 'Suspended'])
            ->orderBy('lastupdate')
            ->pluck('id');
        $silent = [];
        foreach ($services as $service) {
            if (isset($names[(int) $service]) && $client->hasTime()) {
                $path = '/v1/guests/' . $names[(int) $service];
                $guest = $client->get($path);
                self::write((int) $service, $guest, self::traffic($client, $path, $guest, $silent));
            }
        }
    }

    /**
     * MiB that were sent to the guest and from it in this month; null if that is not known. A dom0 that did not answer is asked no more today: its other
     * guests would take the time of those on other dom0s.
     *
     * @param array<mixed> $guest
     * @param array<string, true> $silent dom0s that did not answer
     */
    private static function traffic(Client $client, string $path, array $guest, array &$silent): ?int
    {
        $dom0 = is_string($guest['dom0'] ?? null) ? $guest['dom0'] : '';
        if (isset($silent[$dom0])) {
            return null;
        }
        try {
            $usage = $client->get($path . '/usage');
        } catch (Failure $failure) {
            $silent[$dom0] = true;
            return null;
        }
        if (!is_string($usage['since'] ?? null)) {
            return null;
        }
        $bytes = 0;
        foreach (is_array($usage['months'] ?? null) ? $usage['months'] : [] as $month) {
            if (is_array($month) && ($month['month'] ?? '') === gmdate('Y-m')) {
                $bytes += (is_int($month['inBytes'] ?? null) ? $month['inBytes'] : 0) + (is_int($month['outBytes'] ?? null) ? $month['outBytes'] : 0);
            }
        }
        return intdiv($bytes, 1048576);
    }

    /** @param array<mixed> $guest */
    private static function write(int $service, array $guest, ?int $traffic): void
    {
        $disk = $guest['diskBytes'] ?? null;
        $ip = $guest['ip'] ?? null;
        $fields = (is_int($disk) ? ['disklimit' => intdiv($disk, 1048576)] : []) + (is_string($ip) ? ['dedicatedip' => $ip] : [])
            + ($traffic === null ? [] : ['bwusage' => $traffic]);
        if ($fields !== []) {
            Capsule::table('tblhosting')->where('id', $service)->update($fields + ['lastupdate' => date('Y-m-d H:i:s')]);
        }
    }

    /** @return array<int, string> by service: the guest of its last life that is not gone */
    private static function names(Client $client, string $shop): array
    {
        $found = [];
        $cursor = '';
        do {
            $page = $client->get('/v1/guests?limit=' . self::PAGE . ($cursor === '' ? '' : '&cursor=' . rawurlencode($cursor)));
            foreach (is_array($page['guests'] ?? null) ? $page['guests'] : [] as $guest) {
                $name = is_array($guest) && is_string($guest['name'] ?? null) ? $guest['name'] : '';
                $isOurs = preg_match('/^' . $shop . '-([1-9][0-9]{0,17})(?:-([1-9][0-9]{0,2}))?$/D', $name, $part) === 1;
                if ($isOurs && ($guest['phase'] ?? '') !== 'gone' && (int) ($part[2] ?? 1) >= ($found[(int) $part[1]][0] ?? 0)) {
                    $found[(int) $part[1]] = [(int) ($part[2] ?? 1), $name];
                }
            }
            $cursor = is_string($page['next'] ?? null) ? $page['next'] : '';
        } while ($cursor !== '');
        return array_map(static function (array $one): string {
            return $one[1];
        }, $found);
    }
}
