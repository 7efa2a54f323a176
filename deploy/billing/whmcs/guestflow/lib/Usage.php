<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

use WHMCS\Database\Capsule;

/**
 * The daily look at all services of a server: the size of each disk, and the address. How full a guest's file system is, its dom0 does not know;
 * `diskusage` is left alone, and so is the bandwidth.
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
        foreach ($services as $service) {
            if (isset($names[(int) $service]) && $client->hasTime()) {
                self::write((int) $service, $client->get('/v1/guests/' . $names[(int) $service]));
            }
        }
    }

    /** @param array<mixed> $guest */
    private static function write(int $service, array $guest): void
    {
        $disk = $guest['diskBytes'] ?? null;
        $ip = $guest['ip'] ?? null;
        $fields = (is_int($disk) ? ['disklimit' => intdiv($disk, 1048576)] : []) + (is_string($ip) ? ['dedicatedip' => $ip] : []);
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
