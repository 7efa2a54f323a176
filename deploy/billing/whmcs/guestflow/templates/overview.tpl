{* The state of a guest, in the product's page of the client area. Each value is escaped here: a host name is the customer's. *}
<div class="guestflow">
  <h3>Server</h3>
  <table class="table">
    <tr><th scope="row">State</th><td>{$guestflow.state|escape:'html':'UTF-8'}{if !empty($guestflow.working)} ({$guestflow.working|escape:'html':'UTF-8'} …){/if}</td></tr>
    {if !empty($guestflow.graceUntil)}<tr><th scope="row">Can be brought back until</th><td>{$guestflow.graceUntil|escape:'html':'UTF-8'}</td></tr>{/if}
    {if !empty($guestflow.ip)}<tr><th scope="row">Address</th><td>{$guestflow.ip|escape:'html':'UTF-8'}</td></tr>{/if}
    {if !empty($guestflow.hostname)}<tr><th scope="row">Host name</th><td>{$guestflow.hostname|escape:'html':'UTF-8'}</td></tr>{/if}
    {if !empty($guestflow.plan)}<tr><th scope="row">Plan</th><td>{$guestflow.plan|escape:'html':'UTF-8'}</td></tr>{/if}
    {if !empty($guestflow.memory)}<tr><th scope="row">Size</th><td>{$guestflow.memory|escape:'html':'UTF-8'} memory, {$guestflow.vcpus|escape:'html':'UTF-8'} vCPU, {$guestflow.disk|escape:'html':'UTF-8'} disk</td></tr>{/if}
  </table>
  {if $guestflow.isKnown}
  <h3>Backups</h3>
  {if $guestflow.backups}
  <table class="table">
    <tr><th scope="col">Taken</th><th scope="col">Size</th><th scope="col">What is known of it</th></tr>
    {foreach $guestflow.backups as $backup}
    <tr><td>{$backup.takenAt|escape:'html':'UTF-8'}</td><td>{$backup.size|escape:'html':'UTF-8'}</td><td>{if $backup.mark == 'proven'}&#10003; {/if}{$backup.state|escape:'html':'UTF-8'}</td></tr>
    {/foreach}
  </table>
  {else}
  <p>There is none yet.</p>
  {/if}
  {/if}
</div>
